"""How long contenders take and how much memory, each in its own process, in turn.

Every round lets each contender run once, so that whatever slows the machine down for a while slows all of them. Ratios
are taken within rounds. All processes are set up and have run once before the first round.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from scales_cli.bench.contenders.base import Runner, Sample, Task
from scales_cli.bench.contenders.registry import Contender
from scales_cli.system.processes import Worker, WorkerError


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        values = list(values)
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Measurement:
    """A contender's runs, one a round. `peak_memory` is the largest resident set of its process, in bytes."""

    contender: Contender
    samples: tuple[Sample, ...]
    peak_memory: int | None
    model_bytes: int | None

    @property
    def seconds(self) -> Spread:
        return Spread.of(sample.seconds for sample in self.samples)

    def times(self, other: Measurement) -> Spread:
        """This one's time over the other's, round by round."""
        pairs = zip(self.samples, other.samples, strict=True)
        return Spread.of(mine.seconds / theirs.seconds for mine, theirs in pairs)


def measure(
    contenders: Sequence[Contender],
    task: Task,
    rounds: int,
    *,
    environment: Mapping[str, str] | None = None,
    deadline: float = float("inf"),
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[list[Measurement], dict[str, str]]:
    """Measurements of one task, and why others have none. No round but the first begins after `deadline`.

    A contender that fails is left out and the others go on; `environment` is added to that of their processes;
    `deadline` is by `time.monotonic`.
    """
    workers: dict[Contender, Worker] = {}
    failures: dict[str, str] = {}
    samples: dict[Contender, list[Sample]] = {contender: [] for contender in contenders}
    measurements = []
    variables: dict[str, Any] = {"OMP_NUM_THREADS": str(task.threads)} | dict(environment or {})

    @contextlib.contextmanager
    def dropping_failed(contender: Contender) -> Iterator[None]:
        try:
            yield
        except WorkerError as error:
            failures[contender.name] = error.message
            workers.pop(contender).kill()

    try:
        for contender in contenders:
            workers[contender] = Worker(_Session, contender.build, task, **variables)
        for contender in contenders:
            with dropping_failed(contender):
                workers[contender].wait()
        for done in range(rounds):
            if done and time.monotonic() > deadline:
                break
            for contender in list(workers):
                with dropping_failed(contender):
                    samples[contender].append(workers[contender].call("sample"))
            progress((done + 1) / rounds)
        for contender in list(workers):
            with dropping_failed(contender):
                sizes = workers[contender].call("sizes")
                measurements.append(Measurement(contender, tuple(samples[contender]), *sizes))
    finally:
        for worker in workers.values():
            worker.kill()
    return measurements, failures


class _Session:
    """A runner in its worker."""

    def __init__(self, build: Callable[[Task], Runner], task: Task) -> None:
        self._runner = build(task)
        self._runner.run()
        self.sample = self._runner.sample

    def sizes(self) -> tuple[int | None, int | None]:
        return self._runner.peak_memory(), self._runner.model_bytes
