"""Pictures enlarged by several models, each picture's results in a page of its own."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from scales_cli.backbones.spec import SCALES
from scales_cli.comparison.page import Page
from scales_cli.comparison.plan import PagePlan, Point, plan_page
from scales_cli.engine.bicubic_engine import BicubicEngine
from scales_cli.errors import InputError, ScalesError, UsageError
from scales_cli.pipeline.destination import destination
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.memory import default_limit, fit_job
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.pipeline.plan import STREAM, check_arguments
from scales_cli.pipeline.run import Watch, attempt
from scales_cli.pipeline.targets import check_clashes, check_target
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.pipeline.upscalers import Upscalers
from scales_cli.weights.family import Loaded, ModelFamily

BICUBIC = "bicubic"


@dataclass(frozen=True)
class Contender:
    """A way to enlarge, with its networks."""

    enlargement: Enlargement
    upscalers: Mapping[int, Upscaler]


@dataclass(frozen=True)
class Compared:
    """A page of `size` bytes that was written; `output` is `-` for standard output, `pictures` are what it shows."""

    input: str
    output: str
    size: int
    pictures: tuple[Done, ...]
    notes: tuple[str, ...]

    @property
    def explanation(self) -> str:
        return "; ".join(picture.explanation for picture in self.pictures)

    def to_dict(self) -> dict[str, Any]:
        first, kept = self.pictures[0], ("model", "strength", "wear", "ensemble", "seconds")
        pictures = [picture.to_dict() for picture in self.pictures]
        return {
            "input": self.input,
            "output": self.output,
            "bytes": self.size,
            "width": first.width,
            "height": first.height,
            "scale": first.scale,
            "pictures": [{name: picture[name] for name in kept if name in picture} for picture in pictures],
            "notes": self.notes,
        }


def compare_files(
    inputs: Sequence[str],
    output: str | None,
    enlargements: Sequence[Enlargement],
    *,
    at: Point | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    max_memory: int | None = None,
    progress: Watch = lambda name: nullcontext(),
) -> Iterator[Compared | Failed]:
    """Enlarges each input bicubically and in all of these ways, into a page: yields what became of it.

    `output` is a page for one input, a folder, or `-`; without it pages are named after their inputs, beside them. Of
    results too large for a page it shows the part around the input's pixel `at`, by default the middle.
    Raises `WeightsError` if a model cannot be opened, `UsageError` or `OutputError` if an output cannot be meant.
    """
    check_arguments(inputs, output)
    contenders = [Contender(item, Upscalers(item.family, threads, ensemble=item.ensemble)) for item in enlargements]
    _tell_apart(contenders)
    contenders.insert(0, _bicubic(enlargements[0], threads))
    plans: list[PagePlan] = []
    failures: list[Failed] = []
    for name in inputs:
        ways = [contender.enlargement for contender in contenders]
        try:
            plans.append(plan_page(name, output, ways, at, several=len(inputs) > 1))
        except InputError as error:
            failures.append(Failed(name, error))
    targets = [(plan.name, plan.target) for plan in plans if plan.target is not None]
    check_clashes(targets, [name for name in inputs if name != STREAM])
    for _, target in targets:
        check_target(target, overwrite)
    limit = default_limit() if max_memory is None else max_memory
    return _write_pages(plans, failures, contenders, overwrite, limit, progress)


def mending(enlargements: Sequence[Enlargement], denoise: float | None) -> list[Enlargement]:
    """The enlargements, those by models that mend with this strength. Raises `UsageError` if it is given to none."""
    asked, refusal = [], None
    for enlargement in enlargements:
        told = dataclasses.replace(enlargement, denoise=denoise)
        try:
            told.check_denoise()
        except UsageError as error:
            told, refusal = enlargement, error
        asked.append(told)
    if refusal is not None and all(item.denoise is None for item in asked):
        raise refusal
    return asked


def _tell_apart(contenders: Sequence[Contender]) -> None:
    """Opens the models, and names files by their paths whose own names are others' too. Raises `WeightsError`."""
    scales = [contender.enlargement.sizing.network_scales[0] for contender in contenders]
    opened = [contender.upscalers[scale] for contender, scale in zip(contenders, scales, strict=True)]
    counts = Counter([BICUBIC, *(upscaler.name for upscaler in opened)])
    for contender, scale, upscaler in zip(contenders, scales, opened, strict=True):
        if counts[upscaler.name] > 1:
            path = contender.enlargement.family.pull(scale)
            if path.stem == upscaler.name:
                upscaler.name = str(path)


def _bicubic(model: Enlargement, threads: int | None) -> Contender:
    """Interpolation to the size that a model enlarges to."""
    upscalers = [Upscaler(BicubicEngine(scale), name=BICUBIC, threads=threads) for scale in SCALES]
    family = ModelFamily(BICUBIC, {scale: Loaded(BICUBIC) for scale in SCALES})
    sizing = dataclasses.replace(model.sizing, scales=SCALES)
    enlargement = dataclasses.replace(model, family=family, sizing=sizing, denoise=None)
    return Contender(enlargement, Upscalers(family, threads, upscalers))


def _write_pages(
    plans: Sequence[PagePlan],
    failures: Sequence[Failed],
    contenders: Sequence[Contender],
    overwrite: bool,
    limit: int,
    progress: Watch,
) -> Iterator[Compared | Failed]:
    yield from failures
    for plan in plans:
        try:
            yield _write_page(plan, contenders, overwrite, limit, progress)
        except ScalesError as error:
            yield Failed(plan.name, error)


def _write_page(
    plan: PagePlan, contenders: Sequence[Contender], overwrite: bool, limit: int, progress: Watch
) -> Compared:
    pictures = []
    upscalers = [contender.upscalers[job.scale] for job, contender in zip(plan.jobs, contenders, strict=True)]
    jobs = [fit_job(job, upscaler, limit) for job, upscaler in zip(plan.jobs, upscalers, strict=True)]
    with destination(plan.target, overwrite=overwrite) as stream:
        page = Page(stream, plan.title, _details_of_all(plan))
        for job, upscaler in zip(jobs, upscalers, strict=True):
            with page.picture(*plan.shown) as sink, progress(f"{job.name}, {upscaler.name}") as report:
                outcome = attempt(upscaler, job, report, sink)
            if isinstance(outcome, Failed):
                raise outcome.error
            name = outcome.model.removeprefix("scales-")
            page.tell(name, _details_of(outcome), f"{plan.title}, enlarged by {name}")
            pictures.append(outcome)
        page.close()
        size = stream.tell()
    notes = dict.fromkeys(note for picture in pictures for note in picture.notes)
    if plan.jobs[0].crop is not None:
        sizes = f"{_times(plan.shown)} of {_times(plan.jobs[0].size)} pixels"
        notes[f"the page has room for {sizes}; --at says where"] = None
    output = STREAM if plan.target is None else os.fspath(plan.target)
    return Compared(plan.name, output, size, tuple(pictures), tuple(notes))


def _details_of_all(plan: PagePlan) -> str:
    job = plan.jobs[0]
    text = f"{_times((job.header.width, job.header.height))} pixels, enlarged to {_times(job.size)}"
    return text if job.crop is None else f"{text}, of which {_times(plan.shown)} are shown"


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _details_of(picture: Done) -> str:
    details = [] if picture.strength is None else [f"strength {100 * picture.strength:.0f}"]
    details += [] if picture.ensemble == 1 else [f"ensemble {picture.ensemble}"]
    return ", ".join([*details, f"{picture.seconds:.2f}\N{NO-BREAK SPACE}s"])
