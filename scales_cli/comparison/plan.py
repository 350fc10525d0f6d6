"""Which page an input becomes, and what of its results is shown there, decided before any work is done."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scales_cli.errors import InputError, OutputError, UsageError
from scales_cli.imaging.file_names import NameTemplate
from scales_cli.pipeline.crop import Crop
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.plan import STREAM, Job, plan_job
from scales_cli.pipeline.targets import is_folder
from scales_cli.storage.address import WEB, Address
from scales_cli.storage.locations import Location, locate

PAGE_BYTES = 64 * 2**20  # the most that a page has, even if its pictures are noise
_SAMPLE_BYTES = PAGE_BYTES * 3 // 4 - 2**20  # of its pictures, which base64 makes a third longer
_EXTENSIONS = (".html", ".htm")
_NAME = NameTemplate("{stem}_compare{ext}")

Point = tuple[int, int]  # x, y


@dataclass(frozen=True)
class PagePlan:
    """One input, the page it becomes, and a job for each picture in it; `target` None stands for standard output."""

    name: str
    target: Location | None
    jobs: tuple[Job, ...]

    @property
    def title(self) -> str:
        return _location(self.name).name

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the pictures in the page."""
        job = self.jobs[0]
        return job.size if job.crop is None else (job.crop.width, job.crop.height)


def plan_page(
    name: str, output: str | None, enlargements: Sequence[Enlargement], at: Point | None, *, several: bool
) -> PagePlan:
    """The page of an input, whose header is read. If there are `several`, `output` is a folder, whatever its name.

    Raises `InputError` if the input cannot be read or enlarged or has no pixel `at`, `OutputError` or `UsageError` if
    the output is none for a page.
    """
    jobs: list[Job] = []
    for enlargement in enlargements:
        opened = (
            jobs[0].source if jobs and not isinstance(jobs[0].source, Path | Address) else None
        )  # standard input, once
        job = plan_job(name, STREAM, enlargement, source=opened)
        jobs.append(dataclasses.replace(job, crop=_crop(job, len(enlargements), at)))
    return PagePlan(name, _target(name, output, several=several), tuple(jobs))


def _location(name: str) -> Location:
    return Path("stdin") if name == STREAM else locate(name)


def _target(name: str, output: str | None, *, several: bool) -> Location | None:
    if output == STREAM or (output is None and name == STREAM and not several):
        return None
    is_page = output is not None and output.lower().endswith(_EXTENSIONS)
    if several and is_page:
        raise UsageError(f"several pictures cannot go to the one page {output}", "give a folder to -o")
    if output is None or several or is_folder(output):
        source = _location(name)
        if output is None and isinstance(source, Address) and source.scheme in WEB:
            raise UsageError("pages cannot be put on the web", "give a file or a folder to -o")
        folder = source.parent if output is None else locate(output)
        return folder / _NAME.name(source.name, "", "", _EXTENSIONS[0])
    if not is_page:
        raise OutputError(f"{output}: is no name of a page", "give one that ends in .html, or a folder that exists")
    return locate(output)


def _crop(job: Job, count: int, at: Point | None) -> Crop | None:
    """The part of a result around `at` that a page of `count` pictures has room for; None if that is all of it."""
    (width, height), header = job.size, job.header
    x, y = at or (header.width // 2, header.height // 2)
    if x >= header.width or y >= header.height:
        raise InputError(
            f"{job.name}: {header.width} x {header.height} pixels have none at {x},{y}", "give another to --at"
        )
    room = _SAMPLE_BYTES // (count * header.layout.channels * header.layout.dtype.itemsize)
    if width * height <= room:
        return None
    columns = min(width, max(math.isqrt(room), room // height))
    rows = min(height, room // columns)
    left = round((x + 0.5) * width / header.width - columns / 2)
    top = round((y + 0.5) * height / header.height - rows / 2)
    return Crop(min(max(left, 0), width - columns), min(max(top, 0), height - rows), columns, rows)
