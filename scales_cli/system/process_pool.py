"""Tasks for several worker processes: one that dies costs its task, is replaced, and the others go on."""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from scales_cli.errors import ScarcityError
from scales_cli.system.processes import PENDING, Worker, WorkerEndedError, WorkerError

Task = TypeVar("Task")
Call = tuple[Any, ...]  # a method of the workers' objects, and its arguments


class Later:
    """In the place of a task: there is none now."""


LATER = Later()

_TICK = 0.1  # seconds between looks at the progress
_LONGEST_LOOK = 0.5  # seconds: more between looks, and this process was stopped or had other work
_PATIENCE = 1.5  # seconds that workers get to clean up
_TASKS_OF_A_WORKER = 500  # after which it is replaced: whatever its libraries leak ends with it


class WorkerPool(Generic[Task]):
    """Up to `size` workers, started when there is work, that each make an object by `build(report, *arguments)`.

    There are fewer if the system grants no more. The object may call `report` with the done fraction of its task. A
    worker that takes longer than `timeout` seconds for a task is ended.
    """

    def __init__(self, size: int, build: Callable[..., Any], *arguments: Any, timeout: float | None = None) -> None:
        self.size, self._timeout = size, timeout
        self._build, self._arguments = build, arguments
        self._idle: list[_Member] = []
        self._busy: dict[_Member, Task] = {}
        self._given: tuple[Task, Any, int] | None = None  # what `run` has given last, and nobody may have kept yet
        self._latest: _Member | None = None  # that was started
        self._clock = _Clock()

    def __enter__(self) -> WorkerPool[Task]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> list[tuple[Task, Any, int]]:
        """Ends all workers; gives what there is of their running tasks, as `run` does.

        That is an answer that nobody has asked for yet, or a `WorkerError`; and what `run` gave last, if it was broken
        off then.
        """
        members = [*self._idle, *self._busy]
        for member in members:
            member.worker.terminate()
        end = time.monotonic() + _PATIENCE
        for member in members:
            member.worker.end(max(0.0, end - time.monotonic()))
        left = [(task, member.last_answer(), member.worker.pid) for member, task in self._busy.items()]
        if self._given is not None:
            left.append(self._given)
        for member in members:
            member.worker.connection.close()
        self._idle.clear()
        self._busy.clear()
        return left

    def renew(self, size: int) -> None:
        """Ends all workers, which are idle; there will be up to `size` others."""
        self.size = size
        while self._idle:
            self._idle.pop().worker.stop(_PATIENCE)

    def run(
        self,
        tasks: Iterable[Task | Later],
        call: Callable[[Task], Call],
        watch: Callable[[list[tuple[Task, float]]], None] = lambda running: None,
        keep: Callable[[Any], bool] = lambda answer: True,
    ) -> Iterator[tuple[Task, Any, int]]:
        """Makes the `call` of each task; gives the task, the answer and the worker's process id.

        Tasks are asked for one by one, when a worker has time; `LATER` stands for those that answers will bring.
        Answers come as they are ready; that of a worker that failed, died or was ended is a `WorkerError`. `watch` sees
        what is running, several times a second. A worker whose answer is not one to `keep` it for is replaced.
        """
        waiting: Iterator[Task | Later] = iter(tasks)
        while True:
            while len(self._busy) < self.size and not isinstance(task := next(waiting, LATER), Later):
                try:
                    if not self._idle:
                        self._idle.append(self._start())
                except ScarcityError:
                    if not self._busy:
                        raise
                    self.size = len(self._busy)  # which have to do
                    waiting = itertools.chain([task], waiting)
                    break
                method, *arguments = call(task)  # an error leaves the worker among the idle ones, which are ended
                member = self._idle.pop()
                member.ask(method.__name__, arguments)
                self._busy[member] = task
            if not self._busy:
                return
            ready = multiprocessing.connection.wait([member.worker.connection for member in self._busy], _TICK)
            self._clock()  # which counts from look to look
            watch([(task, member.worker.progress) for member, task in self._busy.items()])
            for member in list(self._busy):
                try:
                    answer = member.answer() if member.worker.connection in ready else PENDING
                except ScarcityError:
                    if member.was_first and member is self._latest:  # so there was none beside it
                        raise
                    waiting = itertools.chain([self._dismiss(member)], waiting)
                    continue
                if answer is PENDING and self._timeout is not None and member.seconds > self._timeout:
                    answer = WorkerError(f"took longer than {self._timeout:g} seconds", "raise --timeout")
                if answer is PENDING:
                    continue
                task = self._busy.pop(member)
                self._given = task, answer, member.worker.pid
                if isinstance(answer, WorkerError):
                    member.worker.kill()
                elif member.tasks >= _TASKS_OF_A_WORKER or not keep(answer):
                    member.worker.stop(_PATIENCE)
                else:
                    self._idle.append(member)
                yield self._given
                self._given = None

    def _start(self) -> _Member:
        was_first = not (self._idle or self._busy)
        self._latest = _Member(self._build, self._arguments, self._clock, was_first=was_first)
        return self._latest

    def _dismiss(self, member: _Member) -> Task:
        """Ends a worker that the system grants too little, which leaves that to the others; gives its task."""
        task = self._busy.pop(member)
        member.worker.kill()
        self.size = max(1, len(self._busy) + len(self._idle))
        return task


class _Clock:
    """Seconds in which somebody looks at the workers. Those in which this process was stopped, as by Ctrl-Z, count not.

    A worker may have answered meanwhile, which nobody has heard.
    """

    def __init__(self) -> None:
        self._seconds, self._last = 0.0, time.monotonic()

    def __call__(self) -> float:
        now = time.monotonic()
        self._seconds += min(now - self._last, _LONGEST_LOOK)
        self._last = now
        return self._seconds


class _Member:
    """A worker with what the pool keeps of it. Its first answer, unasked, says that its object is made.

    It `was_first` if there was no other when it was started.
    """

    def __init__(
        self, build: Callable[..., Any], arguments: tuple[Any, ...], clock: Callable[[], float], *, was_first: bool
    ) -> None:
        self.worker = Worker(build, *arguments, reports=True)
        self._clock = clock
        self.was_first = was_first
        self.starting = True
        self.tasks = 0
        self._begun = 0.0

    def ask(self, method: str, arguments: Sequence[Any]) -> None:
        self.tasks += 1
        self._begun = self._clock()
        self.worker.ask(method, *arguments)

    @property
    def seconds(self) -> float:
        """How long the task has taken."""
        return 0.0 if self.starting else self._clock() - self._begun

    def answer(self) -> Any:
        """To the task; `PENDING` if what comes next is none."""
        try:
            answer = self.worker.receive()
        except WorkerError as error:
            return error
        if self.starting and answer is not PENDING:
            self.starting = False
            self._begun = self._clock()
            return PENDING
        return answer

    def last_answer(self) -> Any:
        """That of a worker which has ended."""
        while self.worker.connection.poll():
            answer = self.answer()
            if isinstance(answer, WorkerEndedError):
                break
            if answer is not PENDING:
                return answer
        return WorkerError("its process was ended")
