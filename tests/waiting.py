"""Waiting for what other processes do, as long as that takes on a busy machine, and what is known of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def wait_for(condition: Callable[[], Found], seconds: float = 300.0, pause: float = 0.02) -> Found:
    """What the condition gives once that is true; a failure if it is not within so many seconds."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(pause)
    assert found, "waited in vain"
    return found


def children(pid: int) -> list[int]:
    """The processes that one has started and not waited for; none of one that has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_worker(pid: int) -> bool:
    """Whether a process is one that `scales_cli.system.processes.Worker` started."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def workers(pid: int) -> list[int]:
    return [child for child in children(pid) if is_worker(child)]


def alive(pid: int) -> bool:
    """Whether a process still runs; one that ended but was not waited for does not."""
    return bool(states(pid) - {"Z", "X"})


def states(pid: int) -> set[str]:
    """Those of a process's threads: R if it wants to run, S if it sleeps, T if it is stopped, Z if it has ended."""
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            found.add(_fields(path)[0])
        except OSError:  # it has ended meanwhile
            continue
    return found


def processor_seconds(pid: int) -> float:
    """What a process has used, with those of its children that it has waited for; one that ended, until that."""
    return sum(map(int, _fields(Path(f"/proc/{pid}/stat"))[11:15])) / _TICKS


def _fields(path: Path) -> list[str]:
    """From the third, the state, on."""
    return path.read_text().rpartition(")")[2].split()


def kill(pid: int, number: int) -> bool:
    """Sends a signal to a process, which may have ended; whether it was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
