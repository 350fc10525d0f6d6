"""Work in a process of its own: one that is started fresh, sees no Ctrl-C, never outlives us, and is quiet.

A decoder that crashes ends such a process only, and runtimes read their environment and claim memory in it anew.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from scales_cli.errors import ScalesError, ScarcityError
from scales_cli.system.endings import ending, memory_kills
from scales_cli.system.resources import keep_time_to_end

# Threads that wait for work sleep, or workers that pause would take time from those that run.
SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0", "OPENBLAS_NUM_THREADS": "1"}
_MORE_PROCESSES = "raise `ulimit -u` or the limit of the container, or close other programs"
_PATIENCE = 2.0  # seconds
_REPORT_SECONDS = 0.1
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGXCPU") if hasattr(signal, name)]
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class WorkerError(ScalesError):
    """What a worker raised, or that it ended; other workers go on."""


class WorkerEndedError(WorkerError):
    """That its process ended, whoever is to blame."""


class _Ended(BaseException):
    """By a signal; passes every `except Exception`, so that temporary files are removed."""

    def __init__(self, reason: WorkerEndedError) -> None:
        super().__init__(reason)
        self.reason = reason


PENDING: Any = object()  # in the place of an answer


class Worker:
    """A process that makes an object by `build(*arguments)` and calls its methods when asked.

    If it `reports`, that is `build(report, *arguments)`, and `progress` is the fraction last given to `report`.
    """

    def __init__(self, build: Callable[..., Any], *arguments: Any, reports: bool = False, **environment: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.progress, self._memory_kills = 0.0, memory_kills()
        work = pickle.dumps((build, arguments))  # which is imported where errors are answers
        with _naming_what_is_scarce():
            self.connection, theirs = context.Pipe()  # readable once there is an answer or a report
            try:
                self._process = context.Process(
                    target=_serve, args=(theirs, SLEEPING | environment, work, reports), daemon=True
                )
                with _without_interrupts():
                    self._process.start()
            except BaseException:
                self.connection.close()
                raise
            finally:
                theirs.close()

    def wait(self) -> Any:
        """The answer to the last `ask`, or None when the object is made; raises `WorkerError`.

        Raises `ScarcityError` if the process is granted no thread.
        """
        while (answer := self.receive()) is PENDING:
            pass
        return answer

    def receive(self) -> Any:
        """As `wait`; but `PENDING` if what comes next is a report."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):  # which it also is if the process was killed amid a message
            self._process.join(1)
            raise WorkerEndedError(*ending(self._process.exitcode, self._memory_kills)) from None
        if isinstance(message, float):
            self.progress = message
            return PENDING
        failure, value = message
        if failure is not None:
            raise failure
        return value

    def ask(self, method: str, *arguments: Any) -> None:
        self.progress = 0.0
        with contextlib.suppress(ConnectionError):  # `wait` tells why
            self.connection.send((method, arguments))

    def call(self, method: str, *arguments: Any) -> Any:
        self.ask(method, *arguments)
        return self.wait()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def terminate(self) -> None:
        """Asks the process to end, which lets it clean up."""
        self._process.terminate()

    def end(self, seconds: float = 0.0) -> None:
        """Ends a process that was asked to, at once if `seconds` do not suffice, with those that it started.

        What it has sent before can still be received.
        """
        self._process.join(seconds)
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg") and os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, _KILL)
        self._process.kill()
        self._process.join()

    def stop(self, seconds: float) -> None:
        """`terminate`, and kills it if that takes longer."""
        self.terminate()
        self.end(seconds)
        self.connection.close()

    def kill(self) -> None:
        """Ends the process and those it started, whatever they do."""
        self.end()
        self.connection.close()


@contextlib.contextmanager
def _naming_what_is_scarce() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise ScarcityError("too few files may be open to start a process", "raise `ulimit -n`") from error
        if error.errno not in (errno.EAGAIN, errno.ENOMEM):
            raise
        raise ScarcityError(f"no process can be started here: {error.strerror}", _MORE_PROCESSES) from error


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keeps Ctrl-C from processes that are started inside; it reaches us right after."""
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
    work: bytes,
    reports: bool,
) -> None:
    try:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    except RuntimeError:  # of a limit
        connection.send((ScarcityError("a process can start no thread here", _MORE_PROCESSES), None))
        return
    with contextlib.suppress(AttributeError, OSError):
        os.setsid()  # so that what this process starts can be ended with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_time_to_end()
    for number in _ENDING:
        signal.signal(number, _unwind)
    os.environ.update(environment)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # runtimes print on their own
    os.dup2(silence, 2)
    warnings.simplefilter("ignore")  # or those of PYTHONWARNINGS=error would be errors
    try:
        build, arguments = pickle.loads(work)
        target = build(_Report(connection), *arguments) if reports else build(*arguments)
        connection.send((None, None))
        while True:
            method, arguments = connection.recv()
            connection.send((None, getattr(target, method)(*arguments)))
    except (EOFError, ConnectionError):
        return
    except _Ended as end:  # which has cleaned up
        with contextlib.suppress(OSError):
            connection.send((end.reason, None))
        _kill_group()
    except Exception as error:
        connection.send((WorkerError(_one_line(error)), None))


class _Report:
    """Sends done fractions to the parent process, some times a second."""

    def __init__(self, connection: multiprocessing.connection.Connection) -> None:
        self._connection = connection
        self._next = 0.0  # time of the next message

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _REPORT_SECONDS
            self._connection.send(float(fraction))


def _unwind(number: int, frame: object) -> None:
    for other in _ENDING:
        signal.signal(other, signal.SIG_IGN)  # what cleans up is not interrupted again
    raise _Ended(WorkerEndedError(*ending(-number, None)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    with contextlib.suppress(OSError):
        os.kill(os.getpid(), signal.SIGTERM)  # the main thread cleans up, if it can
    time.sleep(_PATIENCE)
    _kill_group()


def _kill_group() -> None:
    """Ends this process with those it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(os.getpid(), _KILL)  # our own group, once `setsid` made it
    os._exit(1)


def _one_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = error.message if isinstance(error, ScalesError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:200]
