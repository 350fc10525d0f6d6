"""What a worker process of a batch does with one picture: the same as `scales upscale`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scales_cli.engine.resources import usable_cores
from scales_cli.errors import InputError, ScalesError, WeightsError
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS
from scales_cli.imaging.options import DEFAULTS, OutputOptions
from scales_cli.pipeline.jobs import JobResult, run_jobs
from scales_cli.pipeline.memory import fit_memory
from scales_cli.pipeline.plan import Failure, Plan, plan_jobs
from scales_cli.pipeline.selection import Item
from scales_cli.pipeline.sizing import Sizing
from scales_cli.pipeline.upscaler import Upscalers
from scales_cli.pipeline.worker_pool import WorkerPool
from scales_cli.weights.family import ModelFamily

_WORKER_BYTES = 256 * 2**20  # for a program with its modules, and a picture of some megapixels


@dataclass(frozen=True)
class BatchOptions:
    """How every picture is enlarged."""

    sizing: Sizing
    family: ModelFamily
    max_pixels: int = MAX_OUTPUT_PIXELS
    tile: int | None = None
    output: OutputOptions = DEFAULTS

    def fingerprint(self) -> str:
        """Identifies all that changes a result, the model's weights included.

        Raises `WeightsError` if the network that is needed first cannot be opened.
        """
        models = [self.family.digest(self.sizing.network_scales[0])]
        for scale in self.sizing.network_scales[1:]:
            with suppress(WeightsError):  # who needs that one will say so
                models.append(self.family.digest(scale))
        format_name = self.output.format and self.output.format.name
        values = dataclasses.asdict(self.output) | dataclasses.asdict(self.sizing)
        values |= {"format": format_name, "models": models}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


class BatchWorker:
    """Lives in a worker process; errors on a picture are answers, so that the worker goes on."""

    def __init__(self, progress: Any, options: BatchOptions, threads: int) -> None:
        self._progress = progress
        self._options = options
        self._upscalers = Upscalers(options.family, threads)
        self._upscalers[options.sizing.network_scales[0]]  # a model that cannot be opened fails here

    def locate(self, source: Path, folder: Path) -> Path | ScalesError:
        """The output of a picture, whose header says in which format it can be written."""
        try:
            plan = self._plan(source, folder, overwrite=True)
        except ScalesError as error:
            return error
        if plan.failures:
            return plan.failures[0].error
        target = plan.jobs[0].target
        assert target is not None  # as is always the case with a folder
        return target

    def enlarge(self, source: Path, target: Path, overwrite: bool, limit: int) -> JobResult | ScalesError:
        """Writes `target`, within `limit` bytes of this process's memory."""
        try:
            plan = self._plan(source, target.parent, overwrite)
            if any(job.target != target for job in plan.jobs):
                return InputError(f"{source}: it has changed since it was looked at", "run again")
            plan = fit_memory(plan, self._upscalers, limit, self._options.tile)
            (outcome,) = run_jobs(self._upscalers, plan, lambda name: nullcontext(self._report))
        except ScalesError as error:
            return error
        return outcome.error if isinstance(outcome, Failure) else outcome

    def _plan(self, source: Path, folder: Path, overwrite: bool) -> Plan:
        options = self._options
        return plan_jobs(
            [str(source)],
            f"{folder}/",
            options.sizing,
            overwrite=overwrite,
            max_pixels=options.max_pixels,
            options=options.output,
        )

    def _report(self, fraction: float) -> None:
        self._progress.value = fraction


def open_pool(
    options: BatchOptions, pictures: int, jobs: int | None, threads: int | None, limit: int
) -> WorkerPool[Item]:
    """Workers for a batch, by default one for each core; fewer where there are fewer pictures or little memory."""
    cores = usable_cores()
    size = max(1, min(jobs or cores, pictures, limit // _WORKER_BYTES))
    return WorkerPool(size, BatchWorker, options, threads or max(1, cores // size))
