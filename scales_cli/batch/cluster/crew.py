"""The workers of a Dask cluster as a batch's crew."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import queue
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scales_cli.batch.cluster.scheduler import LostSchedulerError, Scheduler
from scales_cli.batch.cluster.station import Answer, Order, work
from scales_cli.batch.cluster.workers import Workers
from scales_cli.batch.crew import Running
from scales_cli.batch.request import BatchRequest
from scales_cli.batch.selection import Item
from scales_cli.batch.worker import BatchWorker
from scales_cli.errors import OutputExistsError, ScalesError
from scales_cli.pipeline.memory import default_limit
from scales_cli.pipeline.outcome import Failed
from scales_cli.storage.offline import is_offline
from scales_cli.system.process_pool import LATER, Call, Later
from scales_cli.system.processes import WorkerEndedError, WorkerError
from scales_cli.weights import travel

_TICK = 0.1  # seconds between looks at the progress
_PATIENCE = 5.0  # seconds that workers get to end
_GROUP_SECONDS, _MOST_OF_A_GROUP = 1.0, 64
_MOST_ATTEMPTS = 3
_UNDONE = ("pending", "lost")  # states of Dask's futures
_MOST_VISIBLE = 8  # folders that workers are asked for


@dataclass(frozen=True)
class _Group:
    """Tasks that a worker does one after the other; `lost` is how many workers were gone when they were sent."""

    tasks: tuple[Any, ...]
    lost: int


class ClusterCrew:
    """Sends as many groups of pictures as there are pictures in work at a time, so that none waits behind another.

    What a worker had in work that is gone, the scheduler gives to others. A picture whose processes end is tried by
    `_MOST_ATTEMPTS` of them.
    """

    def __init__(self, request: BatchRequest, items: Sequence[Item], where: str, tell: Callable[[str], None]) -> None:
        """`tell` takes lines that a user should see. Raises `ScalesError` if there is no scheduler."""
        self._scheduler, self._tell = Scheduler(where), tell
        self._order, files = _order(request, items, self._scheduler.local)
        self._workers = Workers(self._scheduler, self._order, files)
        self._told: set[str] = set()
        self._jobs, self._alone = request.jobs, False
        self._numbers = itertools.count()
        self._busy: dict[str, _Group] = {}  # by the names that the scheduler has for them
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lost: list[Any] = []  # those whose answers went with their worker
        self._again: deque[Any] = deque()  # tasks that are tried anew
        self._attempts: Counter[Any] = Counter()
        self._ours: set[Any] = set()  # of whose output an earlier attempt may have been the author
        self._pace = _GROUP_SECONDS  # of a picture, in seconds
        try:
            tell(self._scheduler.description)
            self._look()
        except BaseException:
            self._scheduler.close()
            raise

    @property
    def size(self) -> int:
        return max(1, self._slots)

    @property
    def workers(self) -> int:
        return len(self._workers)

    def begin(self) -> None:
        """Workers have looked at their memory."""

    def alone(self) -> None:
        self._alone = True

    def run(
        self, tasks: Iterable[Any | Later], call: Callable[[Any], Call], watch: Callable[[Running], None]
    ) -> Iterator[tuple[Any, Any]]:
        waiting = iter(tasks)
        group: list[Any] = []
        while True:
            self._look()
            while True:
                group = group or self._next_group(waiting)
                if not group or len(self._busy) >= self._slots:
                    break
                self._send(group, call)
                group = []
            if not self._busy and not group:
                return
            for done, answers in self._answers(_TICK):
                for index, task in enumerate(done.tasks):
                    answer = answers.get(index)
                    if answer is None:  # as one of the group may be to blame
                        self._ours.add(task)
                        self._again.append(task)
                    elif self._is_tried_again(task, answer.value, done):
                        self._again.append(task)
                    else:
                        yield task, answer.value
            watch(())

    def close(self) -> list[tuple[Any, Any]]:
        """As of a crew; of what workers do not answer for, nothing is known."""
        left: list[tuple[Any, Any]] = []
        self._workers.leave(_PATIENCE)
        end = time.monotonic() + _PATIENCE
        ended = Answer(WorkerError("its process was ended"), 0.0)
        with suppress(ScalesError):  # of a scheduler that is gone
            while self._busy and time.monotonic() < end and not self._scheduler.is_lost:
                for group, answers in self._answers(_TICK):
                    left += [(task, answers.get(index, ended).value) for index, task in enumerate(group.tasks)]
        self._scheduler.close()
        return left

    @property
    def _slots(self) -> int:
        slots = self._workers.slots
        if self._alone:
            slots = 1 if self._scheduler.local else len(self._workers)
        return min(slots, self._jobs or slots)

    def _look(self) -> None:
        self._workers.look()
        for address, reason in self._workers.refused.items():
            if address not in self._told:
                self._told.add(address)
                self._tell(f"warning: worker {address} takes no part: {reason}")

    def _next_group(self, waiting: Iterator[Any | Later]) -> list[Any]:
        """What is tried again alone; of other pictures as many as take about a second, of inputs to look at one."""
        if self._again:
            return [self._again.popleft()]
        count = 1 if self._alone else max(1, min(int(_GROUP_SECONDS / self._pace), _MOST_OF_A_GROUP))
        group: list[Any] = []
        while len(group) < count and not isinstance(task := next(waiting, LATER), Later):
            if not isinstance(task, Item):
                if group:
                    self._again.append(task)
                    return group
                return [task]
            group.append(task)
        return group

    def _send(self, tasks: Sequence[Any], call: Callable[[Any], Call]) -> None:
        calls = []
        for task in tasks:
            method, *arguments = call(task)
            if task in self._ours and method is BatchWorker.enlarge:
                arguments[0] = dataclasses.replace(arguments[0], overwrite=True)
            calls.append((method, *arguments))
        name = f"{self._order.key}-{next(self._numbers)}"
        arguments = [self._order.key, pickle.dumps(calls), self._alone]
        with self._scheduler.asking() as client:
            future = client.submit(work, *arguments, key=name, resources={self._order.key: 1}, pure=False)
        self._busy[name] = _Group(tuple(tasks), self._workers.lost)
        future.add_done_callback(self._finished.put)

    def _answers(self, seconds: float) -> Iterator[tuple[_Group, dict[int, Answer]]]:
        """What has come within some time, if anything has: answers by the places of tasks in their group."""
        for future in self._finished_within(seconds):
            group = self._busy.get(future.key)
            if group is None:
                continue
            answers = self._result(future, group)
            if answers is None:
                self._lost.append(future)
                continue
            del self._busy[future.key]
            yield group, answers

    def _finished_within(self, seconds: float) -> list[Any]:
        """With those whose answers were lost and have been made again."""
        found = [future for future in self._lost if future.status not in _UNDONE]
        self._lost = [future for future in self._lost if future.status in _UNDONE]
        with suppress(queue.Empty):
            found.append(self._finished.get(timeout=0 if found else seconds))
            while True:
                found.append(self._finished.get_nowait())
        return found

    def _result(self, future: Any, group: _Group) -> dict[int, Answer] | None:
        """None if the worker that has it was lost meanwhile: the scheduler gives the group to another."""
        import distributed

        try:
            with self._scheduler.asking():
                answers: dict[int, Answer] = pickle.loads(future.result(_PATIENCE))
        except LostSchedulerError:
            raise
        except distributed.KilledWorker as error:
            failure = WorkerError(f"{error.allowed_failures + 1} workers ended in the work on it")
        except Exception as error:
            if isinstance(error, TimeoutError) and future.status != "error":  # of the waiting, not of the work
                return None
            failure = WorkerError(f"{type(error).__name__}: {error}")
        else:
            for index, answer in answers.items():
                if isinstance(group.tasks[index], Item):
                    self._pace += (answer.seconds - self._pace) / 8
            return answers
        return {0: Answer(failure, 0.0)} if len(group.tasks) == 1 else {}

    def _is_tried_again(self, task: Any, answer: Any, group: _Group) -> bool:
        """Whether an answer says less of a task than of who did it."""
        if isinstance(answer, WorkerEndedError):
            self._attempts[task] += 1
            self._ours.add(task)
            if self._attempts[task] < _MOST_ATTEMPTS:
                return True
            answer.message += f" {_MOST_ATTEMPTS} times"
        if isinstance(answer, Failed) and isinstance(answer.error, OutputExistsError) and task not in self._ours:
            self._workers.look(now=True)
            if self._workers.lost > group.lost:  # so that one that is gone may have been here before, and done it
                self._ours.add(task)
                return True
        return False


def _order(request: BatchRequest, items: Sequence[Item], local: int) -> tuple[Order, dict[str, Path]]:
    """What workers are told, and the models' files by their hashes."""
    family, files = travel.send(request.enlargement.family)
    here, limit = Path.cwd(), request.max_memory
    paths = [item.source for item in items if isinstance(item.source, Path)]
    visible = dict.fromkeys((here / path).parent for path in paths)
    if isinstance(request.output, Path):
        paths.append(request.output)
        output = here / request.output
        visible = {next(folder for folder in (output, *output.parents) if folder.is_dir()): None} | visible
    order = Order(
        key=f"scales-{secrets.token_hex(8)}",
        enlargement=dataclasses.replace(request.enlargement, family=family),
        threads=request.threads,
        max_memory=limit or default_limit() if local else limit,
        timeout=request.timeout,
        folder=None if all(path.is_absolute() for path in paths) else here,
        visible=tuple(visible)[:_MOST_VISIBLE],
        offline=is_offline(),
        stations=local or 1,
    )
    return order, files
