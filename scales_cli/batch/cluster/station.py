"""A worker of a cluster at work for a batch: processes of its own, as a batch has them on one machine.

Its functions are called in Dask's workers. What a decoder crashes is such a process, not the worker.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scales_cli.batch.crew import LocalCrew, Running
from scales_cli.batch.worker import BatchWorker
from scales_cli.errors import ScalesError
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.memory import default_limit
from scales_cli.storage.offline import OFFLINE
from scales_cli.system.process_pool import Call, WorkerPool
from scales_cli.system.progress import Progress
from scales_cli.weights import travel

_IDLE_SECONDS = 60.0  # after which processes end whose batch has none for them, or is no more


@dataclass(frozen=True)
class Order:
    """What a batch asks of every worker; models are `travel.Sent`.

    `folder` is the working folder, None if nothing depends on it; `visible` are folders that pictures are in. So many
    `stations` take `max_memory` together.
    """

    key: str
    enlargement: Enlargement
    threads: int | None
    max_memory: int | None
    timeout: float | None
    folder: Path | None
    visible: tuple[Path, ...]
    offline: bool
    stations: int = 1


@dataclass(frozen=True)
class Answer:
    """To a call, which took so many `seconds`."""

    value: Any
    seconds: float


async def enlist(order: Order, dask_worker: Any) -> str | tuple[str, ...]:
    """Why this worker cannot take part, else the hashes of the models that it lacks."""
    return await asyncio.to_thread(_examine, order, _models(dask_worker))


def _examine(order: Order, models: Path) -> str | tuple[str, ...]:
    folder = models
    try:
        for folder in (*order.visible, *([order.folder] if order.folder else [])):
            if not folder.is_dir():
                return f"there is no folder {folder}"
        folder = models
        return travel.receive(order.enlargement.family, models)[1]
    except OSError as error:  # which would be taken for the connection's
        return f"{folder}: cannot be read: {error.strerror}"


async def open_station(order: Order, files: Mapping[str, bytes], dask_worker: Any) -> str | int:
    """Why this worker cannot take part, else how many pictures it has in work at a time from now on."""
    models, slots = _models(dask_worker), int(dask_worker.state.nthreads)
    try:
        await asyncio.to_thread(travel.keep, files, models)
        family, lacking = await asyncio.to_thread(travel.receive, order.enlargement.family, models)
        if lacking:
            return "the model has not come"
        order = replace(order, enlargement=replace(order.enlargement, family=family))
        limit = order.max_memory or default_limit(getattr(dask_worker.memory_manager, "memory_limit", None))
        station = Station(order, slots, limit)
    except OSError as error:
        return f"{models}: cannot be written: {error.strerror}"
    except ScalesError as error:
        return error.message
    multiprocessing.current_process().daemon = False  # as which Dask's nanny starts it: those may have no processes
    _stations[dask_worker.address, order.key] = station
    await dask_worker.set_resources(**{order.key: slots})
    _come_back(dask_worker)
    return slots


def _come_back(dask_worker: Any) -> None:
    """Has the scheduler see a worker anew: what nobody could do, it gives to those that come, not to who can now."""
    from distributed import Status

    if dask_worker.status == Status.running:
        dask_worker.status = Status.paused
        dask_worker.status = Status.running


def work(key: str, calls: bytes, alone: bool) -> bytes:
    """What a worker is asked to do, and its answers, pickled: none to calls that were not begun."""
    import distributed

    station = _stations.get((distributed.get_worker().address, key))
    answers = station.work(pickle.loads(calls), alone) if station else {}
    return pickle.dumps(answers)


async def close_station(key: str, dask_worker: Any) -> None:
    """Ends what is in work. Its answers are those of `work`."""
    station = _stations.pop((dask_worker.address, key), None)
    if station is not None:
        await asyncio.to_thread(station.close)
        await dask_worker.set_resources(**{key: 0})


class Station:
    """Has up to `slots` pictures in work at a time, each in a process."""

    def __init__(self, order: Order, slots: int, limit: int) -> None:
        """Raises `MemoryLimitError` if `limit` bytes do not even hold this process."""
        self._order, self._limit = order, limit
        self._shares = slots * order.stations
        self._idle: list[tuple[LocalCrew, threading.Timer]] = []
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._closed = False
        self._new().begin()

    def work(self, calls: Sequence[Call], alone: bool) -> dict[int, Answer]:
        """Answers by the places of their calls."""
        if not alone:
            crew = self._take()
            answers = self._work(crew, calls)
            self._give_back(crew)
            return answers
        with self._turn:
            self._end_idle()
            crew = self._new()
            answers = self._work(crew, calls, alone=True)
            crew.close()
            return answers

    def close(self) -> None:
        self._closed = True
        self._end_idle()

    def _work(self, crew: LocalCrew, calls: Sequence[Call], *, alone: bool = False) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}

        def watch(running: Running) -> None:
            if self._closed:
                raise _ClosedError

        begun = time.monotonic()
        try:
            crew.begin()
            if alone:
                crew.alone()
            watch(())
            for index, value in crew.run(range(len(calls)), calls.__getitem__, watch):
                answers[index] = Answer(value, time.monotonic() - begun)
                begun = time.monotonic()
        except _ClosedError:
            answers |= {index: Answer(value, 0.0) for index, value in crew.close()}
        except BaseException:
            crew.close()
            raise
        return answers

    def _new(self) -> LocalCrew:
        order = self._order
        pool: WorkerPool[int] = WorkerPool(
            1, _open_worker, order.folder, order.offline, order.enlargement, order.threads or 1, timeout=order.timeout
        )
        return LocalCrew(pool, self._limit, self._shares, order.folder)

    def _take(self) -> LocalCrew:
        with self._lock:
            if not self._idle:
                return self._new()
            crew, timer = self._idle.pop()
        timer.cancel()
        return crew

    def _give_back(self, crew: LocalCrew) -> None:
        timer = threading.Timer(_IDLE_SECONDS, self._end, (crew,))
        timer.daemon = True
        with self._lock:
            self._idle.append((crew, timer))
        timer.start()
        if self._closed:
            self._end_idle()

    def _end(self, crew: LocalCrew) -> None:
        """Ends the processes of a crew, unless it was taken meanwhile."""
        with self._lock:
            left = [item for item in self._idle if item[0] is not crew]
            taken = len(left) == len(self._idle)
            self._idle = left
        if not taken:
            crew.close()

    def _end_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for crew, timer in idle:
            timer.cancel()
            crew.close()


class _ClosedError(Exception):
    pass


_stations: dict[tuple[str, str], Station] = {}  # by the addresses of workers, of which a process may have several


def _models(dask_worker: Any) -> Path:
    return Path(dask_worker.local_directory, "scales-models")


def _open_worker(
    report: Progress, folder: Path | None, offline: bool, enlargement: Enlargement, threads: int
) -> BatchWorker:
    if folder is not None:
        with suppress(OSError):  # of which the pictures tell
            os.chdir(folder)
    if offline:
        os.environ[OFFLINE] = "1"
    return BatchWorker(report, enlargement, threads)
