"""The memory this process may use, what it uses already, and what a picture will take: known before work begins.

The limit is on anonymous memory, that is all but files mapped or cached: what the system cannot take back.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from scales_cli.engine.tiling import Tiling
from scales_cli.errors import MemoryLimitError
from scales_cli.imaging.memory import encoding_bytes
from scales_cli.pipeline.alpha import visible_colours_bytes
from scales_cli.pipeline.plan import Failure, Job, Plan
from scales_cli.pipeline.upscaler import Upscaler

_DEFAULT_SHARE, _DEFAULT_MOST = 0.5, 2 * 2**30
_UNKNOWN_AVAILABLE = 4 * 2**30
_UNKNOWN_ANONYMOUS = 96 * 2**20
_RESERVE = 24 * 2**20  # modules still to be loaded, allocators' slack, threads' stacks


def fit_memory(plan: Plan, upscaler: Upscaler, limit: int | None = None, tile: int | None = None) -> Plan:
    """The plan with a tiling for every picture that fits in `limit` bytes; those that do not become failures."""
    limit = default_limit() if limit is None else limit
    base = anonymous_bytes() + _RESERVE
    jobs, failures = [], list(plan.failures)
    for job in plan.jobs:
        tiling, need = _plan_tiling(job, upscaler, limit - base, tile)
        if need > limit - base:
            error = MemoryLimitError(
                f"{job.name}: {job.header.width} x {job.header.height} pixels need {_mebibytes(base + need)} of memory "
                f"to become {job.format.name} of {upscaler.scale} times the size, {_mebibytes(limit)} are allowed",
                "raise --max-memory",
            )
            failures.append(Failure(job.name, error))
        else:
            jobs.append(dataclasses.replace(job, tiling=tiling))
    return Plan(tuple(jobs), tuple(failures))


def _plan_tiling(job: Job, upscaler: Upscaler, room: int, tile: int | None) -> tuple[Tiling | None, int]:
    """A tiling for what is left beside the picture and its writer, and the most that the job takes at any time."""
    layout = job.header.layout
    held = layout.row_bytes * layout.height
    held += encoding_bytes(layout.enlarged(upscaler.scale), job.format, upscaler.jobs.threads)
    pixel_bytes = layout.channels * layout.dtype.itemsize
    if layout.has_alpha:
        held += visible_colours_bytes(layout.height, layout.width, layout.channels)
        pixel_bytes *= 2  # constant alpha is joined to the colours
    tiling, working = upscaler.engine.plan(
        layout.height, layout.width, budget=room - held, pixel_bytes=pixel_bytes, tile=tile
    )
    return tiling, max(job.header.decoding_bytes, held + working)


def _mebibytes(count: int) -> str:
    return f"{-(-count // 2**20)} MiB"


def default_limit() -> int:
    """Half of what is available, at most 2 GiB."""
    return min(int(_DEFAULT_SHARE * available_bytes()), _DEFAULT_MOST)


def available_bytes() -> int:
    """Memory that can be had without swapping, by the system and by every cgroup this process is in."""
    free = _system_available()
    return min([free, *_cgroup_available(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))])


def anonymous_bytes() -> int:
    """This process's own memory; a guess where the system does not tell."""
    return _read_field(Path("/proc/self/status"), "RssAnon:") or _UNKNOWN_ANONYMOUS


def _system_available() -> int:
    if sys.platform == "win32":
        return _windows_available()
    if (available := _read_field(Path("/proc/meminfo"), "MemAvailable:")) is not None:
        return available
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return _UNKNOWN_AVAILABLE


def _read_field(path: Path, name: str) -> int | None:
    """Bytes of a line such as `MemAvailable:  123 kB`."""
    try:
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _cgroup_available(root: Path, membership: Path) -> Iterator[int]:
    """Room left under the limits of the process's cgroup and those above it (v2 `memory.max`, v1 `limit_in_bytes`)."""
    names = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    paths = {"/"} | {line.split(":", 2)[2] for line in lines if line.count(":") >= 2}
    for base in (root, root / "memory"):
        for path in paths:
            folder = base / path.lstrip("/")
            for level in (folder, *(item for item in folder.parents if item.is_relative_to(base))):
                for limit, usage in names:
                    try:
                        yield max(int((level / limit).read_text()) - int((level / usage).read_text()), 0)
                    except (OSError, ValueError):
                        continue


def _windows_available() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available", "a", "b", "c", "d", "e")),
        )

    status = Status(length=ctypes.sizeof(Status))
    windows = getattr(ctypes, "windll", None)
    if windows is None or not windows.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return _UNKNOWN_AVAILABLE
    return int(status.available)
