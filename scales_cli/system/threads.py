"""A pool that shares jobs out among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class ThreadPool:
    """Runs short jobs on up to `threads` threads. One thread means the caller's own.

    A job must be short (well under a second) or heed `stop`: an interrupt is answered when the running ones end.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, "scales") if threads > 1 else None

    def run(self, jobs: Iterable[Callable[[], object]], stop: Callable[[], object] = lambda: None) -> None:
        """Runs every job. The first error or interrupt calls `stop`, drops the waiting jobs, and is raised."""
        if self._executor is None:
            for job in jobs:
                job()
            return
        futures: list[Future[object]] = []
        try:
            for job in jobs:
                futures.append(self._executor.submit(job))
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
        """As the built-in one, all items at once: results in the items' order."""
        if self._executor is None:
            return map(function, items)
        return self._executor.map(function, items)


def _abandon(futures: list[Future[object]], stop: Callable[[], object]) -> None:
    stop()
    for future in futures:
        future.cancel()
    wait(futures)
