"""One picture file from reading to writing: what every command that enlarges files does for each of them."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scales_cli.errors import InputError, MemoryLimitError, OutputError, ScalesError
from scales_cli.imaging.animation import Frame, write_frames
from scales_cli.imaging.decoding import FIRST_ONLY
from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.files import naming, read_frames, read_image, replacing, temporary_file
from scales_cli.imaging.picture import Layout, Picture, Pixels
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
    upscalers: Mapping[int, Upscaler], plan: Plan, progress: Callable[[str], AbstractContextManager[Progress | None]]
) -> Iterator[JobResult | Failure]:
    """Runs a plan to its end whatever fails, and yields what became of each input."""
    yield from plan.failures
    for job in plan.jobs:
        try:
            with progress(job.name) as report:
                result = run_job(upscalers[job.scale], job, report)
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
    layout = job.options.applied(picture.layout.resized(*job.size))
    write = _write_animation if job.frames > 1 else _write_picture
    with _destination(job) as stream:
        written = write(upscaler, job, picture, layout, stream, report)
    report(1.0)
    factor = job.size[0] / picture.width
    return JobResult(
        input=job.name,
        output=STREAM if job.target is None else os.fspath(job.target),
        width=written.width,
        height=written.height,
        seconds=time.perf_counter() - started,
        scale=int(factor) if factor.is_integer() else round(factor, 4),
        model=upscaler.name,
        notes=written.notes,
    )


def _write_picture(
    upscaler: Upscaler, job: Job, picture: Picture, layout: Layout, stream: BinaryIO, report: Progress
) -> Layout:
    share = 1.0 if job.tiling else _NETWORK_SHARE  # rows are written as they come
    writer = open_writer(layout, job.format, stream, upscaler.jobs.map)
    for rows in _enlarged_rows(upscaler, job, picture.pixels, lambda fraction: report(share * fraction)):
        writer.write(rows)
        del rows
    writer.close()
    return writer.layout


def _write_animation(
    upscaler: Upscaler, job: Job, picture: Picture, layout: Layout, stream: BinaryIO, report: Progress
) -> Layout:
    def frames() -> Iterator[Frame]:
        source = read_frames(job.source, max_pixels=picture.width * picture.height)
        for index, frame in enumerate(source):
            rows = _enlarged_rows(upscaler, job, frame.pixels, lambda fraction: None)
            yield dataclasses.replace(frame, pixels=np.concatenate(list(rows)))
            report(_NETWORK_SHARE * (index + 1) / job.frames)

    notes = tuple(note for note in layout.notes if note != FIRST_ONLY)
    if layout.dtype != np.uint8:
        notes = (*notes, "animations have 8 bits a channel, 16 were rounded to 8")
    write_frames(frames(), layout, job.format, stream)
    return dataclasses.replace(layout, notes=notes)


def _enlarged_rows(upscaler: Upscaler, job: Job, pixels: Pixels, report: Progress) -> Iterator[Pixels]:
    """The rows of the result, in its size."""
    rows = upscaler.upscale_rows(pixels, tiling=job.tiling, progress=report)
    height, width = (side * upscaler.scale for side in pixels.shape[:2])
    return rows if job.size == (width, height) else resample_rows(rows, height, job.size)


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
