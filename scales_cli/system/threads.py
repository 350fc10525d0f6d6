"""A pool that shares tasks out among threads."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOK_SECONDS = 0.002  # between two looks at tasks that are to end


class ThreadPool:
    """Runs short tasks on up to `size` threads, fewer if the system starts no more. One means the caller's own.

    A task must be short (well under a second) or heed `stop`: an interrupt is answered when the running ones end.
    A process that was forked has threads of its own, whatever those of its parent were doing. Where the interpreter
    ends and grants none, it is the caller's own as well.
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
        """Runs every task. The first error or interrupt calls `stop`, drops the waiting tasks, and is raised.

        An interrupt that is raised while this thread holds one of the executor's locks leaves that locked. So what has
        become of a task is looked up where there are no locks, and other threads take the place of those that may hang.
        """
        executor = self._executor
        if executor is None:
            for task in tasks:
                task()
            return
        batch, jobs = _Batch(), list[_Job]()
        try:
            for task in tasks:
                jobs.append(_Job(task, batch))
                _submit(executor, jobs[-1])
            failed = any(batch.done.get() for _ in jobs)
        except BaseException:
            self._threads = None
            _abandon(batch, jobs, stop)
            raise
        if failed:
            _abandon(batch, jobs, stop)
            error = next(job.error for job in jobs if job.error is not None)
            jobs.clear()
            try:
                raise error
            finally:
                del error  # which refers to this frame

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results in the items' order, as of the built-in `map`, but all items are begun at once."""
        executor = self._executor
        if executor is None:
            return map(function, items)
        items = list(items)
        try:
            return executor.map(function, items)
        except RuntimeError as error:
            if not _is_ending(error):
                raise
            return map(function, items)


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
    except RuntimeError as refusal:
        if not is_limit_of_threads(refusal):
            raise
        return task()
    result, error = done.get()
    if error is None:
        return result  # type: ignore[return-value]
    try:
        raise error
    finally:
        del error  # which refers to this frame, and to all that the task held


def is_limit_of_threads(error: RuntimeError) -> bool:
    """Whether the system starts no more, or from Python 3.12 on an interpreter that ends.

    What else `Thread.start` raises may be an interrupt inside a lock.
    """
    return "new thread" in str(error)


def _is_ending(error: RuntimeError) -> bool:
    """Whether an executor takes no more work, as the interpreter ends: at exit, or before threads that outlive main."""
    return "schedule new futures" in str(error)


def _submit(executor: ThreadPoolExecutor, job: Callable[[], object]) -> None:
    try:
        executor.submit(job)
    except RuntimeError as error:
        if not _is_ending(error):
            raise
        job()


def _start_threads(count: int) -> ThreadPoolExecutor | None:
    """So many threads, or as many as the system starts; None if those are less than two, or the interpreter ends."""
    while count > 1:
        executor, gate, started = ThreadPoolExecutor(count, "scales"), threading.Event(), 0
        try:
            for started in range(count):  # noqa: B007
                executor.submit(gate.wait)  # each takes a thread of its own, as none is idle
            return executor
        except RuntimeError as error:
            if not (is_limit_of_threads(error) or _is_ending(error)):
                raise
            count = started
        finally:
            gate.set()
        executor.shutdown()
    return None


class _Batch:
    """What the tasks of one run share."""

    def __init__(self) -> None:
        self.dropped = False
        self.done: queue.SimpleQueue[bool] = queue.SimpleQueue()  # whether each failed


class _Job:
    """A task as it is submitted, and what has become of it."""

    def __init__(self, task: Callable[[], object], batch: _Batch) -> None:
        self._task: Callable[[], object] | None = task
        self._batch = batch
        self.begun = self.ended = False
        self.error: BaseException | None = None

    def __call__(self) -> None:
        self.begun = True
        task, self._task = self._task, None
        try:
            if task is not None and not self._batch.dropped:
                task()
        except BaseException as error:
            self.error = error
        finally:
            del task
        self.ended = True
        self._batch.done.put(self.error is not None)


def _abandon(batch: _Batch, jobs: list[_Job], stop: Callable[[], object]) -> None:
    batch.dropped = True
    stop()
    while any(job.begun and not job.ended for job in jobs):
        time.sleep(_LOOK_SECONDS)
