"""Processes that start in no time, as forks of one that has imported what takes seconds.

They are processes of their own, with their environment and folder, and so are those that they start.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import context, forkserver
from pathlib import Path
from typing import Any

_MODULES = (
    "scales_cli.cli.batch",
    "scales_cli.batch.batch",
    "s3fs",
    "distributed.cli.dask_worker",
    "distributed.cli.dask_scheduler",
)
_PRINTED = "SCALES_TEST_PRINTED"  # the files of standard output and error


class _Process(context.ForkServerProcess):
    """With the environment of who starts it; what it starts itself are forks of the same process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.environment = dict(os.environ)

    def run(self) -> None:
        os.environ.clear()
        os.environ.update(self.environment)
        for number, name in enumerate(os.environ.get(_PRINTED, os.devnull).split(os.pathsep), 1):
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, number)
            os.close(file)
        with contextlib.suppress(OSError):  # as its parent is the process that it is a fork of
            Path("/proc/self/comm").write_text(f"of {self._parent_pid}")
        forkserver._forkserver.ensure_running = lambda: None
        _use()
        if "dask.config" in sys.modules:  # which has read its settings from another environment
            sys.modules["dask.config"].refresh()
        super().run()


class _Context(context.ForkServerContext):
    Process = _Process


_CONTEXT = _Context()
_CONTEXT.set_forkserver_preload(list(_MODULES))  # those that there are


def _use() -> None:
    multiprocessing.get_context = lambda method=None: _CONTEXT


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Within it, what would be started anew is forked."""
    before = multiprocessing.get_context
    _use()
    yield
    multiprocessing.get_context = before


def starter_of(pid: int) -> int:
    """The process that started another, 0 if that is no more, or no fork of ours."""
    try:
        return int(Path(f"/proc/{pid}/comm").read_text().removeprefix("of "))
    except (OSError, ValueError):
        return 0


def started_by(pid: int) -> list[int]:
    """The processes that another one has started, which may have ended itself, and that are still there."""
    processes = Path("/proc").glob("[0-9]*")
    return [int(path.name) for path in processes if starter_of(int(path.name)) == pid and not _is_dead(path)]


def _is_dead(process: Path) -> bool:
    """Whether nobody has asked yet how it ended."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class Fork:
    """`python -m module arguments`, as by `subprocess.Popen`; `module` has a `main`."""

    def __init__(self, module: str, arguments: Sequence[str], folder: Path, output: Path, **environment: str):
        """What is printed is in files named after `output`."""
        self._printed = [output.with_suffix(suffix) for suffix in (".out", ".err")]
        for path in self._printed:
            path.touch()
        self._process = _CONTEXT.Process(target=_main, args=(module, arguments, folder))
        self._process.environment |= environment | {_PRINTED: os.pathsep.join(map(str, self._printed))}
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self._process.exitcode

    def wait_for_forks(self) -> None:
        """What it started ends a moment after it was killed."""
        end = time.monotonic() + 60
        while started_by(self.pid):
            assert time.monotonic() < end
            time.sleep(0.01)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        self.wait(timeout)
        out, err = (path.read_bytes() for path in self._printed)
        return out, err

    def has_said(self, words: str) -> bool:
        """Whether something was printed to standard error, or the process has ended without it."""
        return words.encode() in self._printed[1].read_bytes() or self.poll() is not None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _main(module: str, arguments: Sequence[str], folder: Path) -> None:
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [module, *arguments]
    sys.exit(importlib.import_module(module).main())
