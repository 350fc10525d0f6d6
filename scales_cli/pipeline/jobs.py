"""One picture file from reading to writing: what every command that enlarges files does for each of them."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from scales_cli.errors import MemoryLimitError, OutputError, ScalesError
from scales_cli.imaging.encoding import encode_image
from scales_cli.imaging.files import naming, read_image, write_image
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS
from scales_cli.imaging.picture import Layout, Picture
from scales_cli.pipeline.plan import Failure, Job, Plan
from scales_cli.pipeline.upscaler import Progress, Upscaler

_NETWORK_SHARE = 0.8  # of a picture's time; the rest is spent on writing it


@dataclass(frozen=True)
class JobResult:
    """What was written; `output` is `-` for standard output, `notes` are things the user should know."""

    input: str
    output: str
    width: int
    height: int
    seconds: float
    scale: int
    model: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"seconds": round(self.seconds, 3)}


def run_jobs(
    upscaler: Upscaler, plan: Plan, progress: Callable[[str], AbstractContextManager[Progress | None]]
) -> Iterator[JobResult | Failure]:
    """Runs a plan to its end whatever fails, and yields what became of each input."""
    yield from plan.failures
    for job in plan.jobs:
        try:
            with progress(job.name) as report:
                result = run_job(upscaler, job, report)
        except ScalesError as error:
            if job.name not in error.message:
                error.message = f"{job.name}: {error.message}"
            yield Failure(job.name, error)
        except MemoryError:
            yield Failure(job.name, MemoryLimitError(f"{job.name}: not enough memory", "use a smaller picture"))
        else:
            yield result


def run_job(upscaler: Upscaler, job: Job, progress: Progress | None = None) -> JobResult:
    """Reads, enlarges and writes one picture; nothing is left behind where one of them fails."""
    started = time.perf_counter()
    max_pixels = MAX_OUTPUT_PIXELS // upscaler.scale**2
    if isinstance(job.source, bytes):
        with naming("standard input"):
            picture = read_image(job.source, max_pixels=max_pixels)
    else:
        picture = read_image(job.source, max_pixels=max_pixels)
    report = progress or (lambda fraction: None)
    pixels = upscaler.upscale(picture.pixels, progress=lambda fraction: report(_NETWORK_SHARE * fraction))
    large = dataclasses.replace(picture, pixels=pixels)
    if job.target is None:
        written = _write_to_stdout(large, job)
    else:
        with _folder_for(job.target):
            written = write_image(large, job.target, image_format=job.format, overwrite=job.overwrite)
    report(1.0)
    output = "-" if job.target is None else os.fspath(job.target)
    seconds = time.perf_counter() - started
    return JobResult(
        input=job.name,
        output=output,
        width=written.width,
        height=written.height,
        seconds=seconds,
        scale=upscaler.scale,
        model=upscaler.name,
        notes=written.notes,
    )


def _write_to_stdout(picture: Picture, job: Job) -> Layout:
    if sys.stdout is None:
        raise OutputError("standard output is closed", "give a file to -o")
    stream = io.BytesIO()
    written = encode_image(picture, job.format, stream)
    try:
        _write_all(sys.stdout.buffer, stream.getbuffer())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}", "give a file to -o") from error
    return written


def _write_all(stream: BinaryIO, data: memoryview) -> None:
    """Also where the stream is unbuffered (PYTHONUNBUFFERED=1) and takes only a part at a time."""
    while data:
        written = stream.write(data)
        if written is None:  # what unbuffered streams that do not block return when they are full
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        data = data[written:]


@contextmanager
def _folder_for(target: Path) -> Iterator[None]:
    """Makes the folders a file needs, and removes them again where it is not written."""
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{target.parent}: cannot be made: {error.strerror}", "choose another folder") from error
        yield
    except BaseException:
        for folder in missing:  # the innermost first
            with suppress(OSError):
                folder.rmdir()
        raise
