"""How a process ended, in words: what is known of it, and no more."""

from __future__ import annotations

import signal
from pathlib import Path

from scales_cli.system.resources import read_field

_FOR_WANT_OF_MEMORY = "close other programs, or use fewer jobs or a lower --max-memory"
_CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS")


def ending(exit_code: int | None, kills_before: int | None) -> tuple[str, str]:
    """Message and hint for an exit code of `multiprocessing`: that of a process, or less its signal.

    `kills_before` is what `memory_kills` said when the process was started.
    """
    if exit_code is None:
        return "its process does not answer", ""
    if exit_code >= 0:
        return f"its process ended with code {exit_code}", ""
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:  # of real time
        name = f"signal {-exit_code}"
    if name == "SIGXCPU":
        return "its processor time was used up", "raise `ulimit -t`"
    if name in _CRASHES:
        return f"its process crashed ({name})", ""
    if name != "SIGKILL":
        return f"its process was ended from outside ({name})", ""
    kills = memory_kills()
    if kills is None or kills_before is None:
        return "its process was killed from outside (SIGKILL), maybe for want of memory", _FOR_WANT_OF_MEMORY
    if kills > kills_before:
        return "its process was killed by the system, which had too little memory", _FOR_WANT_OF_MEMORY
    return "its process was killed from outside (SIGKILL)", ""


def memory_kills() -> int | None:
    """How many processes the system has ended for want of memory, in cgroups, too; None if it does not say."""
    return read_field(Path("/proc/vmstat"), "oom_kill", 1)
