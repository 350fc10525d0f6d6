"""One picture file from reading to writing: what every command that enlarges files does for each of them."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from scales_cli.errors import InputError, MemoryLimitError, ScalesError
from scales_cli.imaging.animation import Frame, write_frames
from scales_cli.imaging.encoding import fit_statements, open_writer
from scales_cli.imaging.files import naming, probe_image, read_frames, read_image
from scales_cli.imaging.further_pictures import FIRST_ONLY
from scales_cli.imaging.picture import Layout, Picture, Pixels
from scales_cli.pipeline.destination import destination
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.memory import fit_memory, tile_job
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.pipeline.plan import STREAM, Job, Plan, plan_jobs
from scales_cli.pipeline.resampling import resample_rows
from scales_cli.pipeline.source import fetched
from scales_cli.pipeline.targets import check_target
from scales_cli.pipeline.upscaler import Chosen, Upscaler
from scales_cli.pipeline.upscalers import Upscalers
from scales_cli.system.progress import Progress
from scales_cli.system.resources import release_freed_memory

_NETWORK_SHARE = 0.8  # of a small picture's time; the rest is spent on writing it

# Makes the report of a picture's progress, by its name; entered for as long as the picture is in work.
Watch = Callable[[str], AbstractContextManager[Progress | None]]


def upscale_files(
    inputs: Sequence[str],
    output: str | None,
    enlargement: Enlargement,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    max_memory: int | None = None,
    progress: Watch = lambda name: nullcontext(),
) -> Iterator[Done | Failed]:
    """Enlarges files, or standard input (`-`): yields what became of each, once all of them are planned.

    `output` is a file for one input, a folder, or `-`; without it results are named after their inputs, beside them.
    Raises `WeightsError` if the model cannot be opened, `UsageError` or `OutputError` if an output cannot be meant.
    """
    enlargement.check_denoise()
    upscalers = Upscalers(enlargement.family, threads, ensemble=enlargement.ensemble)
    upscalers[enlargement.sizing.network_scales[0]]  # a model that cannot be opened is named before any picture
    plan = plan_jobs(inputs, output, enlargement, overwrite=overwrite)
    return run_jobs(upscalers, fit_memory(plan, upscalers, max_memory, enlargement.tile), progress)


def run_jobs(upscalers: Mapping[int, Upscaler], plan: Plan, progress: Watch) -> Iterator[Done | Failed]:
    """Runs a plan to its end whatever fails, and yields what became of each input."""
    yield from plan.failures
    for job in plan.jobs:
        with progress(job.name) as report:
            outcome = attempt(upscalers[job.scale], job, report)
        release_freed_memory()  # or the next picture would have less
        yield outcome


def attempt(
    upscaler: Upscaler, job: Job, progress: Progress | None = None, sink: BinaryIO | None = None
) -> Done | Failed:
    """`run_job`, with its errors as an outcome that names the input."""
    try:
        return run_job(upscaler, job, progress, sink)
    except ScalesError as error:
        named = error.message.startswith("standard input:")
        return Failed(job.name, error if named else error.about(job.name))
    except MemoryError:
        return Failed(job.name, MemoryLimitError(f"{job.name}: not enough memory", "use a smaller picture"))


def run_job(upscaler: Upscaler, job: Job, progress: Progress | None = None, sink: BinaryIO | None = None) -> Done:
    """Reads, enlarges and writes one picture; nothing is left behind where one of them fails.

    A job without a target goes to `sink`, by default to standard output.
    """
    started = time.perf_counter()
    if job.target is not None:
        check_target(job.target, job.overwrite)  # again: others may write there, too
    with fetched(job.source) as source:
        return _enlarge(upscaler, dataclasses.replace(job, source=source), progress, sink, started)


def _enlarge(upscaler: Upscaler, job: Job, progress: Progress | None, sink: BinaryIO | None, started: float) -> Done:
    """`run_job` of a picture that is on this machine."""
    modified_ns = _modified_ns(job)
    picture = _read(job)
    chosen = upscaler.choose(picture.pixels, picture.layout, job.denoise)
    job = tile_job(job, chosen.upscaler)
    report = progress or (lambda fraction: None)
    size = job.size if job.crop is None else (job.crop.width, job.crop.height)
    layout = job.options.applied(picture.layout.resized(*size))
    if job.size < (picture.width, picture.height):
        layout = dataclasses.replace(
            layout, notes=(*layout.notes, f"it was shrunk from {picture.width} x {picture.height} pixels")
        )
    write = _write_animation if job.frames > 1 else _write_picture
    with destination(job.target, overwrite=job.overwrite, sink=sink, modified_ns=modified_ns) as stream:
        written = write(chosen, job, picture, layout, stream, report)
    report(1.0)
    factor = job.size[0] / picture.width
    return Done(
        input=job.name,
        output=STREAM if job.target is None else os.fspath(job.target),
        width=written.width,
        height=written.height,
        seconds=time.perf_counter() - started,
        scale=int(factor) if factor.is_integer() else round(factor, 4),
        model=chosen.upscaler.name,
        strength=chosen.strength,
        wear=chosen.wear,
        ensemble=upscaler.ensemble,
        notes=written.notes,
    )


def _write_picture(
    chosen: Chosen, job: Job, picture: Picture, layout: Layout, stream: BinaryIO, report: Progress
) -> Layout:
    share = 1.0 if job.tiling else _NETWORK_SHARE  # rows are written as they come
    writer = open_writer(layout, job.format, stream, chosen.upscaler.threads.map)
    for rows in _enlarged_rows(chosen, job, picture.pixels, lambda fraction: report(share * fraction)):
        writer.write(rows)
        del rows
    writer.close()
    return writer.layout


def _write_animation(
    chosen: Chosen, job: Job, picture: Picture, layout: Layout, stream: BinaryIO, report: Progress
) -> Layout:
    def frames() -> Iterator[Frame]:
        source = read_frames(job.source, max_pixels=picture.width * picture.height)
        for index, frame in enumerate(source):
            rows = _enlarged_rows(chosen, job, frame.pixels, lambda fraction: None)
            yield dataclasses.replace(frame, pixels=np.concatenate(list(rows)))
            report(_NETWORK_SHARE * (index + 1) / job.frames)

    notes = tuple(note for note in layout.notes if note != FIRST_ONLY)
    if layout.dtype != np.uint8:
        notes = (*notes, "animations have 8 bits a channel, 16 were rounded to 8")
    layout = fit_statements(dataclasses.replace(layout, notes=notes), job.format, 4)
    write_frames(frames(), layout, job.format, stream)
    return layout


def _enlarged_rows(chosen: Chosen, job: Job, pixels: Pixels, report: Progress) -> Iterator[Pixels]:
    """The rows of the result, in its size, or of its crop."""
    rows = chosen.upscale_rows(pixels, tiling=job.tiling, progress=report)
    height, width = (side * chosen.upscaler.scale for side in pixels.shape[:2])
    if job.size != (width, height):
        rows = resample_rows(rows, height, job.size)
    return rows if job.crop is None else job.crop.cut(rows)


def _read(job: Job) -> Picture:
    """The picture that was planned for."""
    planned = job.header.layout
    try:
        with nullcontext() if isinstance(job.source, Path) else naming(_name(job)):  # a path names itself
            picture = read_image(
                job.source,
                max_pixels=planned.width * planned.height,
                metadata=job.options.metadata,
                salvage=job.options.salvage,
            )
    except InputError as error:
        if _has_grown(job):
            raise _changed(job) from error
        raise
    found = picture.layout
    for name in ("width", "height", "channels", "dtype", "format"):
        if getattr(found, name) != getattr(planned, name):
            raise _changed(job)
    if job.options.all_frames and probe_image(job.source).frames != job.frames:
        raise _changed(job)
    return picture


def _modified_ns(job: Job) -> int | None:
    """The input's modification time, if the output is to have it."""
    if not job.options.keep_times:
        return None
    assert isinstance(job.source, Path)  # `plan_job` takes no other
    with suppress(OSError):  # of whom reading it will say more
        return job.source.stat().st_mtime_ns
    return None


def _name(job: Job) -> str:
    return "standard input" if job.name == STREAM else job.name


def _has_grown(job: Job) -> bool:
    with suppress(InputError):
        header = probe_image(job.source)
        return header.width * header.height > job.header.width * job.header.height
    return False


def _changed(job: Job) -> InputError:
    return InputError(f"{job.name}: it has changed since it was looked at", "run again")
