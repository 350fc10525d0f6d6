"""The cores and the memory this process may use, by the system, its affinity and its cgroups."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scales_cli.arguments import check_whole

try:
    import resource
except ImportError:  # of Windows
    resource = None  # type: ignore[assignment]

MOST_THREADS = 1024
_CGROUPS, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_M_ARENA_MAX = -8  # of malloc.h
_UNKNOWN_AVAILABLE = 4 * 2**30
_UNKNOWN_ANONYMOUS = 96 * 2**20


def usable_cores() -> int:
    """Cores by affinity, cut down by the CPU quotas of the process's cgroups (v2 `cpu.max`, v1 `cfs_quota_us`)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = min(_cgroup_quotas(_CGROUPS, _MEMBERSHIP), default=math.inf)
    return cores if quota == math.inf else max(1, min(cores, math.ceil(quota)))


def thread_count(threads: int | None) -> int:
    """What was asked for, or the usable cores; raises `UsageError` for what is no number of threads."""
    check_whole("threads", threads, 1, MOST_THREADS)
    return usable_cores() if threads is None else int(threads)


def _cgroup_quotas(root: Path, membership: Path) -> Iterator[float]:
    """Cores that are granted to the process's cgroup and those above it."""
    for level in _cgroups(root, membership, "cpu"):
        with suppress(OSError, ValueError, ZeroDivisionError):  # "max" is no number
            quota, period = (level / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        with suppress(OSError, ValueError, ZeroDivisionError):
            if (quota_us := int((level / "cpu.cfs_quota_us").read_text())) > 0:
                yield quota_us / int((level / "cpu.cfs_period_us").read_text())


def available_bytes() -> int:
    """Memory that can be had without swapping, by the system and by every cgroup this process is in."""
    free = _system_available()
    return min([free, *_cgroup_available(_CGROUPS, _MEMBERSHIP)])


def anonymous_bytes() -> int:
    """This process's own memory; a guess if the system does not tell."""
    return read_field(Path("/proc/self/status"), "RssAnon:") or _UNKNOWN_ANONYMOUS


def release_freed_memory() -> None:
    """Gives back to the system what the allocator keeps for later, if it is one that can be asked to (1 ms)."""
    _ask_allocator("malloc_trim", 0)


def share_freed_memory() -> None:
    """Lets each thread take what any has freed, for this whole process: glibc keeps it for threads apart, unasked."""
    _ask_allocator("mallopt", _M_ARENA_MAX, 1)


def _ask_allocator(function: str, *arguments: int) -> None:
    with suppress(OSError, AttributeError, TypeError):  # the last on Windows, where no library has no name
        getattr(ctypes.CDLL(None), function)(*arguments)


def keep_time_to_end() -> None:
    """Makes SIGXCPU come a second of processor time before SIGKILL where `ulimit -t` sets one limit for both."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if soft == hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_CPU, (max(1, hard - 1), hard))


def _system_available() -> int:
    if sys.platform == "win32":
        return _windows_available()
    if (available := read_field(Path("/proc/meminfo"), "MemAvailable:")) is not None:
        return available
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return _UNKNOWN_AVAILABLE


def read_field(path: Path, name: str, unit: int = 1024) -> int | None:
    """Bytes of a line such as `MemAvailable:  123 kB`; None if there is none."""
    try:
        for line in path.read_text().splitlines():
            if line.split()[:1] == [name]:
                return int(line.split()[1]) * unit
    except (OSError, ValueError, IndexError):
        pass
    return None


def _cgroup_available(root: Path, membership: Path) -> Iterator[int]:
    """Room left under the limits of the process's cgroup and those above it (v2 `memory.max`, v1 `limit_in_bytes`).

    Files that were read count as used there, though the system drops them when memory is asked for.
    """
    names = (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    )
    for level in _cgroups(root, membership, "memory"):
        for limit, usage, droppable in names:
            with suppress(OSError, ValueError):
                room = int((level / limit).read_text()) - int((level / usage).read_text())
                yield max(room + (read_field(level / "memory.stat", droppable, 1) or 0), 0)


def _cgroups(root: Path, membership: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's cgroup and those above it, of v2 and of v1, whose controllers have trees."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    paths = {"/"} | {line.split(":", 2)[2] for line in lines if line.count(":") >= 2}
    for base in (root, root / controller):
        for path in paths:
            folder = base / path.lstrip("/")
            yield from (folder, *(item for item in folder.parents if item.is_relative_to(base)))


def _windows_available() -> int:
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
