"""What a worker process of a batch does with one picture: the same as `scales upscale`."""

from __future__ import annotations

from collections.abc import Sequence

from scales_cli.batch.draft import Draft
from scales_cli.batch.ledger import Entry
from scales_cli.batch.selection import name_of
from scales_cli.errors import ScalesError
from scales_cli.imaging.decoding import PackedHeader
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.memory import fit_job
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.pipeline.plan import plan_job
from scales_cli.pipeline.run import attempt
from scales_cli.pipeline.targets import check_target
from scales_cli.pipeline.upscalers import Upscalers
from scales_cli.storage.locations import locate
from scales_cli.system.progress import Progress
from scales_cli.system.resources import release_freed_memory, share_freed_memory

Found = tuple[str, PackedHeader]  # the name of the result, which its format decides, and the header


class BatchWorker:
    """Lives in a worker process; errors on a picture are answers, so that the worker goes on.

    `report` takes the done fraction of the picture in work.
    """

    def __init__(self, report: Progress, enlargement: Enlargement, threads: int) -> None:
        share_freed_memory()
        self._report = report
        self._enlargement = enlargement
        self._upscalers = Upscalers(enlargement.family, threads, ensemble=enlargement.ensemble)
        self._upscalers[enlargement.sizing.network_scales[0]]  # a model that cannot be opened fails here

    def locate(self, inputs: Sequence[tuple[str, str]]) -> list[Found | Failed]:
        """What the headers of pictures say. Each is given with the folder that it is to be written to."""
        return [self._locate(name, folder) for name, folder in inputs]

    def _locate(self, name: str, folder: str) -> Found | Failed:
        try:
            job = plan_job(name, f"{folder}/", self._enlargement)
            assert job.target is not None  # as is always the case with a folder
            check_target(job.target, overwrite=True)
        except ScalesError as error:
            shown = name_of(locate(name))
            return Failed(shown, error.about(shown))
        return job.target.name, job.header.packed()

    def enlarge(self, draft: Draft, entry: Entry | None, limit: int, beside: int) -> Done | Failed:
        """Writes the draft's target, within `limit` bytes of this process's memory; others take those `beside`.

        With an `entry`, it is recorded beside the target, too.
        """
        job = draft.job(self._enlargement)
        try:
            upscaler = self._upscalers[job.scale]
            job = fit_job(job, upscaler, limit, self._enlargement.tile, beside)
            if entry is not None:
                entry.begin()
        except ScalesError as error:
            return Failed(job.name, error.about(job.name))
        outcome = attempt(upscaler, job, self._report)
        release_freed_memory()  # or the next picture would have less
        return outcome if entry is None else entry.end(outcome)
