"""The workers of a cluster that take part in a batch."""

from __future__ import annotations

import importlib.metadata
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import scales_cli
from scales_cli.batch.cluster.scheduler import Scheduler
from scales_cli.batch.cluster.station import Order, close_station, enlist, open_station
from scales_cli.errors import ScalesError

_LOOK_SECONDS = 2.0  # between two looks at who is there
_WAIT_SECONDS = 0.2  # while nobody is


class Workers:
    """Workers come and go; those that cannot take part are `refused`, with the reason."""

    def __init__(self, scheduler: Scheduler, order: Order, files: Mapping[str, Path]) -> None:
        self._scheduler, self._order, self._files = scheduler, order, files
        self._slots: dict[str, int] = {}
        self._next = 0.0
        self.refused: dict[str, str] = {}
        self.lost = 0  # how many are gone

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def slots(self) -> int:
        """How many pictures they have in work at a time."""
        return sum(self._slots.values())

    def look(self, *, now: bool = False) -> None:
        """Finds who is there, now and then. Raises `ScalesError` if there are workers, but none that can take part."""
        if time.monotonic() < self._next and not (now or self._scheduler.is_lost):
            return
        with self._scheduler.asking() as client:
            found = client.scheduler_info(n_workers=-1)["workers"]
        there = {address for address, worker in found.items() if worker["status"] == "running"}
        gone = self._slots.keys() - found.keys()
        self.lost += len(gone)
        for address in gone:
            del self._slots[address]
        for address, answer in self._enlisted(sorted(there - self._slots.keys() - self.refused.keys())):
            if isinstance(answer, int):
                self._slots[address] = answer
            else:
                self.refused[address] = answer
        if self.refused and not self._slots and not self.lost:
            address, reason = next(iter(self.refused.items()))
            raise ScalesError(
                f"no worker of {self._scheduler.where} can take part: {address}: {reason}",
                "install the same scales-cli[cluster] and mount the same folders there",
            )
        self._next = time.monotonic() + (_LOOK_SECONDS if self._slots else _WAIT_SECONDS)

    def leave(self, seconds: float) -> None:
        """Ends what they have in work, within this time: a scheduler that hangs would be waited for without end."""
        thread = threading.Thread(target=self._close_stations, name="scales-leave", daemon=True)
        thread.start()
        thread.join(seconds)

    def _close_stations(self) -> None:
        with suppress(Exception):  # as of a scheduler that is gone meanwhile
            if not self._scheduler.is_lost:
                self._ask(close_station, self._order.key, workers=list(self._slots))

    def _enlisted(self, workers: list[str]) -> Iterator[tuple[str, str | int]]:
        """Of each that answers: how many pictures it takes, or why it does not."""
        fit: list[str] = []
        needs: dict[str, tuple[str, ...]] = {}
        for address, version in self._ask(importlib.metadata.version, "scales-cli", workers=workers):
            if version == scales_cli.__version__:
                fit.append(address)
            elif isinstance(version, importlib.metadata.PackageNotFoundError):
                yield address, "it has no scales-cli"
            elif isinstance(version, str):
                yield address, f"it has scales-cli {version}, not {scales_cli.__version__}"
            else:
                yield address, _reason(version)
        for address, answer in self._ask(enlist, self._order, workers=fit):
            if isinstance(answer, tuple):
                needs[address] = answer
            else:
                yield address, _reason(answer)
        for hashes in set(needs.values()):
            files = {sha256: self._files[sha256].read_bytes() for sha256 in hashes}
            workers = [address for address, lacking in needs.items() if lacking == hashes]
            for address, answer in self._ask(open_station, self._order, files, workers=workers):
                yield address, answer if isinstance(answer, int) else _reason(answer)

    def _ask(self, function: Any, *arguments: Any, workers: list[str]) -> list[tuple[str, Any]]:
        """What a function gives on each worker, or raises there; nothing of workers that are gone."""
        if not workers:
            return []
        with self._scheduler.asking() as client:
            answers: dict[str, Any] = client.run(function, *arguments, workers=workers, on_error="return")
        return [(address, answer) for address, answer in answers.items() if not isinstance(answer, OSError)]


def _reason(answer: Any) -> str:
    """Why a worker takes no part: what it said, or raised."""
    return answer if isinstance(answer, str) else f"{type(answer).__name__}: {answer}"
