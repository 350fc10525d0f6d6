"""Items that are made in a thread before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")

_LOOK_SECONDS = 0.1  # between two looks at whether anybody still waits
_LEAVE_SECONDS = 5.0


class Ahead(Iterator[Item], Generic[Item]):
    """The items of an iterator in their order, up to `count` of which wait; its errors are raised in their place.

    Left, it ends the thread with the item in work, for which it waits `leave_seconds` at most, or for ever; after an
    interrupt it is only to be left. Stages that feed one another share `closed`, and end together.
    """

    def __init__(
        self,
        items: Iterable[Item],
        count: int,
        closed: threading.Event,
        *,
        leave_seconds: float | None = _LEAVE_SECONDS,
    ) -> None:
        # Not one bounded `Queue`: an interrupt that came inside its lock would leave that locked, and the thread stuck.
        self._made: SimpleQueue[tuple[Item | None, BaseException | None]] = SimpleQueue()
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(count):
            self._places.put(None)
        self._closed, self._leave_seconds = closed, leave_seconds
        self._ended = False
        self._thread = threading.Thread(target=self._make, args=(items,), name="scales-ahead", daemon=True)
        self._thread.start()

    def __next__(self) -> Item:
        while not self._ended and not self._closed.is_set():
            try:
                item, error = self._made.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            self._places.put(None)
            if error is not None:
                self._ended = True
                raise error
            return item  # type: ignore[return-value]
        raise StopIteration

    def __enter__(self) -> Ahead[Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join(self._leave_seconds)  # or it waits for standard input, and ends with the process

    def _make(self, items: Iterable[Item]) -> None:
        try:
            for item in items:
                if not self._put(item, None):
                    return
        except BaseException as error:
            self._put(None, error)
        else:
            self._put(None, StopIteration())

    def _put(self, item: Item | None, error: BaseException | None) -> bool:
        """Whether anybody waited for it."""
        while not self._closed.is_set():
            with suppress(Empty):
                self._places.get(timeout=_LOOK_SECONDS)
                self._made.put((item, error))
                return True
        return False
