"""A pool that shares tasks out among threads."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class ThreadPool:
    """Runs short tasks on up to `size` threads, fewer if the system starts no more. One means the caller's own.

    A task must be short (well under a second) or heed `stop`: an interrupt is answered when the running ones end.
    A process that was forked has threads of its own, whatever those of its parent were doing.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads: tuple[int, ThreadPoolExecutor | None] | None = None  # with the process that they are of

    @property
    def _executor(self) -> ThreadPoolExecutor | None:
        """None stands for the caller's thread."""
        if self.size == 1:
            return None
        threads, process = self._threads, os.getpid()
        if threads is None or threads[0] != process:
            threads = self._threads = process, _start_threads(self.size)
        return threads[1]

    def run(self, tasks: Iterable[Callable[[], object]], stop: Callable[[], object] = lambda: None) -> None:
        """Runs every task. The first error or interrupt calls `stop`, drops the waiting tasks, and is raised."""
        executor = self._executor
        if executor is None:
            for task in tasks:
                task()
            return
        futures: list[Future[object]] = []
        try:
            for task in tasks:
                futures.append(executor.submit(task))
            finished = wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            _abandon(futures, stop)
            raise
        if finished.not_done:
            _abandon(futures, stop)
        for future in futures:
            if not future.cancelled():
                future.result()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results in the items' order, as of the built-in `map`, but all items are begun at once."""
        executor = self._executor
        return map(function, items) if executor is None else executor.map(function, items)


def interruptible(task: Callable[[], Result]) -> Result:
    """What a long task of C gives, which hears no signal: on a thread, which an interrupt leaves behind."""
    done: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((task(), None))
        except BaseException as error:
            done.put((None, error))

    try:
        threading.Thread(target=work, name="scales decoder", daemon=True).start()
    except RuntimeError:  # the system starts no more
        return task()
    result, error = done.get()
    if error is None:
        return result  # type: ignore[return-value]
    try:
        raise error
    finally:
        del error  # which refers to this frame, and to all that the task held


def _start_threads(count: int) -> ThreadPoolExecutor | None:
    """So many threads, or as many as the system starts; None if those are less than two."""
    while count > 1:
        executor, gate, started = ThreadPoolExecutor(count, "scales"), threading.Event(), 0
        try:
            for started in range(count):  # noqa: B007
                executor.submit(gate.wait)  # each takes a thread of its own, as none is idle
            return executor
        except RuntimeError:  # of a limit
            count = started
        finally:
            gate.set()
        executor.shutdown()
    return None


def _abandon(futures: list[Future[object]], stop: Callable[[], object]) -> None:
    stop()
    for future in futures:
        future.cancel()
    wait(futures)
