"""One picture file from reading to writing: what every command that enlarges files does for each of them."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from scales_cli.errors import InputError, MemoryLimitError, OutputError, ScalesError
from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.files import naming, read_image, replacing, temporary_file
from scales_cli.imaging.picture import Picture
from scales_cli.pipeline.plan import STREAM, Failure, Job, Plan
from scales_cli.pipeline.resampling import resample_rows
from scales_cli.pipeline.upscaler import Progress, Upscaler

_NETWORK_SHARE = 0.8  # of a small picture's time; the rest is spent on writing it
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class JobResult:
    """What was written; `output` is `-` for standard output, `notes` are things the user should know."""

    input: str
    output: str
    width: int
    height: int
    seconds: float
    scale: float
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
                result = run_job(upscaler.at(job.scale), job, report)
        except ScalesError as error:
            if not error.message.startswith((f"{job.name}:", "standard input:")):
                error.message = f"{job.name}: {error.message}"
            yield Failure(job.name, error)
        except MemoryError:
            yield Failure(job.name, MemoryLimitError(f"{job.name}: not enough memory", "use a smaller picture"))
        else:
            yield result


def run_job(upscaler: Upscaler, job: Job, progress: Progress | None = None) -> JobResult:
    """Reads, enlarges and writes one picture; nothing is left behind where one of them fails."""
    started = time.perf_counter()
    picture = _read(job)
    report = progress or (lambda fraction: None)
    share = 1.0 if job.tiling else _NETWORK_SHARE  # rows are written as they come
    layout = job.options.applied(picture.layout.resized(*job.size))
    with _destination(job) as stream:
        writer = open_writer(layout, job.format, stream, upscaler.jobs.map)
        network = upscaler.upscale_rows(
            picture.pixels, tiling=job.tiling, progress=lambda fraction: report(share * fraction)
        )
        height = picture.height * upscaler.scale
        if job.size != (picture.width * upscaler.scale, height):
            network = resample_rows(network, height, job.size)
        for rows in network:
            writer.write(rows)
            del rows
        writer.close()
    report(1.0)
    return JobResult(
        input=job.name,
        output=STREAM if job.target is None else os.fspath(job.target),
        width=writer.layout.width,
        height=writer.layout.height,
        seconds=time.perf_counter() - started,
        scale=round(job.size[0] / picture.width, 4) if job.size[0] % picture.width else job.size[0] // picture.width,
        model=upscaler.name,
        notes=writer.layout.notes,
    )


def _read(job: Job) -> Picture:
    """The picture that was planned for."""
    planned = job.header.layout
    with nullcontext() if isinstance(job.source, Path) else naming("standard input"):  # a path names itself
        picture = read_image(job.source, max_pixels=planned.width * planned.height, metadata=job.options.metadata)
    found = picture.layout
    for name in ("width", "height", "channels", "dtype", "format"):
        if getattr(found, name) != getattr(planned, name):
            raise InputError(f"{job.name}: it has changed since it was looked at", "run again")
    return picture


@contextmanager
def _destination(job: Job) -> Iterator[BinaryIO]:
    """A seekable stream whose content reaches the job's target once it is complete."""
    if job.target is not None:
        with _folder_for(job.target), replacing(job.target, overwrite=job.overwrite) as stream:
            yield stream
        return
    if sys.stdout is None:
        raise OutputError("standard output is closed", "give a file to -o")
    with temporary_file() as stream:
        yield stream
        stream.seek(0)
        _copy_to_stdout(stream)


def _copy_to_stdout(stream: BinaryIO) -> None:
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            _write_all(sys.stdout.buffer, memoryview(chunk))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}", "give a file to -o") from error


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
