"""What a picture takes in memory, known before work begins.

The limit is on anonymous memory, that is all but files mapped or cached: what the system cannot take back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from scales_cli.engine.tiling import Tiling
from scales_cli.errors import MemoryLimitError, WeightsError
from scales_cli.imaging.animation import animation_bytes
from scales_cli.imaging.encoding import encoding_bytes
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.wear.estimate import wear_bytes
from scales_cli.pipeline.alpha import visible_colors_bytes
from scales_cli.pipeline.flats import flats_bytes
from scales_cli.pipeline.outcome import Failed
from scales_cli.pipeline.plan import Allowance, Job, Plan
from scales_cli.pipeline.resampling import resampling_bytes
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.system.resources import anonymous_bytes, available_bytes

_DEFAULT_SHARE, _DEFAULT_MOST = 0.5, 2 * 2**30
_RESERVE = 24 * 2**20  # modules still to be loaded, allocators' slack, threads' stacks

_VARIATION = 2**20  # of the process's own memory from run to run: who allows what the message says is not refused


def fit_memory(
    plan: Plan, upscalers: Mapping[int, Upscaler], limit: int | None = None, tile: int | None = None
) -> Plan:
    """The plan with an allowance for every picture that fits in `limit` bytes; those that do not become failures."""
    limit = default_limit() if limit is None else limit
    jobs, failures = [], list(plan.failures)
    for job in plan.jobs:
        try:
            jobs.append(fit_job(job, upscalers[job.scale], limit, tile))
        except MemoryLimitError as error:
            failures.append(Failed(job.name, error))
        except WeightsError as error:  # there is no network of the scale that this picture needs
            failures.append(Failed(job.name, error.about(job.name)))
    return Plan(tuple(jobs), tuple(failures))


def fit_job(job: Job, upscaler: Upscaler, limit: int, tile: int | None = None, beside: int = 0) -> Job:
    """The job with an allowance of `limit` bytes of this process's memory; `beside` is what other processes take.

    Raises `MemoryLimitError` if they are too few for every network that the picture may get.
    """
    allowance = Allowance(beside + limit, free_bytes(limit), tile)
    layout, looking = job.header.layout, 0
    if upscaler.looks(job.denoise):
        looking = layout.row_bytes * layout.height + wear_bytes(layout)
    refusal: MemoryLimitError | None = None
    for candidate in upscaler.candidates(job.denoise):
        try:
            tile_job(dataclasses.replace(job, allowance=allowance), candidate, looking)
        except MemoryLimitError as error:
            refusal = refusal or error
        else:
            return dataclasses.replace(job, allowance=allowance)
    assert refusal is not None  # as there is at least one candidate
    raise refusal


def tile_job(job: Job, upscaler: Upscaler, looking: int = 0) -> Job:
    """The job with the tiling by which this network stays within the allowance. Raises `MemoryLimitError` if none does.

    `looking` bytes are taken before the network begins.
    """
    if job.allowance is None:
        return job
    limit, free = job.allowance.limit, job.allowance.free
    tiling, need = _plan_tiling(job, upscaler, free, job.allowance.tile)
    need = max(need, looking)
    check_need(
        need,
        free,
        limit,
        f"{job.name}: {job.header.width} x {job.header.height} pixels",
        f"{job.format.name} of {job.size[0]} x {job.size[1]}",
        "raise --max-memory" + (", or write another format" if job.format is ImageFormat.WEBP else ""),
    )
    return dataclasses.replace(job, tiling=tiling)


def _plan_tiling(job: Job, upscaler: Upscaler, room: int, tile: int | None) -> tuple[Tiling | None, int]:
    """A tiling for what is left beside the picture and its writer, and the most that the job takes at any time."""
    layout = job.header.layout
    held = layout.row_bytes * layout.height
    written, network = job.options.applied(layout.resized(*job.size)), layout.enlarged(job.scale)
    held += encoding_bytes(written, job.format, upscaler.threads.size)
    if job.size != (network.width, network.height):
        held += resampling_bytes(network, job.size)
    itemsize = layout.dtype.itemsize
    colors = layout.channels - layout.has_alpha
    held += flats_bytes(layout.height, layout.width, colors, itemsize, upscaler.threads.size)
    pixel_bytes = layout.channels * itemsize
    if layout.has_alpha:
        held += visible_colors_bytes(layout.height, layout.width, layout.channels)
        pixel_bytes *= 2  # constant alpha is joined to the colours
    if job.frames > 1:
        rgba = dataclasses.replace(written, channels=4)
        held += animation_bytes(dataclasses.replace(layout, channels=4), 1) + animation_bytes(rgba, job.frames)
    tiling, working = upscaler.engine.plan(
        layout.height, layout.width, budget=room - held, pixel_bytes=pixel_bytes, tile=tile
    )
    return tiling, max(job.header.decoding_bytes, held + working)


def free_bytes(limit: int) -> int:
    """What is left of the limit for work."""
    return limit - anonymous_bytes() - _RESERVE


def check_need(need: int, free: int, limit: int, source: str, result: str, hint: str = "raise --max-memory") -> None:
    """Raises `MemoryLimitError` if the bytes that `source` needs to become `result` are more than are free."""
    if need > free:
        enough = _mebibytes(limit - free + need + _VARIATION)
        raise MemoryLimitError(
            f"{source} need {enough} of memory to become {result}, {_mebibytes(limit)} are allowed", hint
        )


def _mebibytes(count: int) -> str:
    return f"{-(-count // 2**20)} MiB"


def default_limit(granted: int | None = None) -> int:
    """Half of what is available, or of what was granted, if that is less; at most 2 GiB."""
    free = available_bytes()
    return min(int(_DEFAULT_SHARE * min(free, granted or free)), _DEFAULT_MOST)
