"""Work in a process of its own: one that is started fresh, sees no Ctrl-C, never outlives us, and is quiet.

Runtimes read their environment and claim memory when they are imported, so each contender gets such a process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from scales_cli.errors import ScalesError

# Threads that wait for work sleep, or the contenders that pause would take time from the one that runs.
SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0", "OPENBLAS_NUM_THREADS": "1"}
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class WorkerError(ScalesError):
    """What a worker raised, or that it ended; the others go on."""


class Worker:
    """A process that makes an object by `build(*arguments)` and calls its methods when asked."""

    def __init__(self, build: Callable[..., Any], *arguments: Any, **environment: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, SLEEPING | environment, build, arguments), daemon=True
        )
        with _without_interrupts():
            self._process.start()
        theirs.close()

    def wait(self) -> Any:
        """The answer to the last `ask`, or None when the object is made; raises `WorkerError`."""
        try:
            failure, value = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(1)
            raise WorkerError(f"its process ended with code {self._process.exitcode} (too little memory?)") from None
        if failure is not None:
            raise WorkerError(failure)
        return value

    def ask(self, method: str) -> None:
        with contextlib.suppress(ConnectionError):  # `wait` tells why
            self._connection.send(method)

    def call(self, method: str) -> Any:
        self.ask(method)
        return self.wait()

    def kill(self) -> None:
        """Ends the process and those it started, whatever they do."""
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg") and os.getpgid(self._process.pid or 0) == self._process.pid:
                os.killpg(self._process.pid, _KILL)
        self._process.kill()
        self._process.join()
        self._connection.close()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started inside inherit that Ctrl-C does not reach them; it reaches us right after."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _serve(
    connection: multiprocessing.connection.Connection,
    environment: dict[str, str],
    build: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(AttributeError, OSError):
        os.setsid()  # so that what this process starts can be ended with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(environment)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # runtimes print on their own
    os.dup2(silence, 2)
    try:
        target = build(*arguments)
        connection.send((None, None))
        while True:
            connection.send((None, getattr(target, connection.recv())()))
    except (EOFError, ConnectionError):
        return
    except Exception as error:
        connection.send((_one_line(error), None))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(os.getpid(), _KILL)  # our own group, once `setsid` made it
    os._exit(1)


def _one_line(error: Exception) -> str:
    text = error.message if isinstance(error, ScalesError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:200]
