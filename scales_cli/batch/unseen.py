"""The inputs of a batch that nobody has looked at yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from scales_cli.batch.selection import Item
from scales_cli.batch.worker import Found
from scales_cli.pipeline.outcome import Failed
from scales_cli.system.process_pool import LATER, Later
from scales_cli.system.processes import WorkerError

Chunk = tuple[Item, ...]
Answer = Found | Failed | WorkerError  # what is found of one of them

_MOST_OF_A_CHUNK = 64


class Unseen:
    """Gives inputs to `workers` in chunks: asking for one takes longer than looking at it."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._chunks: deque[Chunk] = deque()
        self._asked = 0  # chunks that have no answer yet

    def add(self, items: Sequence[Item]) -> None:
        size = max(1, min(_MOST_OF_A_CHUNK, len(items) // (4 * self._workers)))
        self._chunks.extend(tuple(items[start : start + size]) for start in range(0, len(items), size))

    def tasks(self) -> Iterator[Chunk | Later]:
        """All chunks; `LATER` while others are looked at, as there may be more then."""
        while self._chunks or self._asked:
            if self._chunks:
                self._asked += 1
                yield self._chunks.popleft()
            else:
                yield LATER

    def found(self, chunk: Chunk, answer: list[Found | Failed] | WorkerError) -> dict[Item, Answer]:
        """What is known of a chunk. If a worker died of one of several, each is to be looked at again, alone."""
        self._asked -= 1
        if not isinstance(answer, WorkerError):
            return dict(zip(chunk, answer, strict=True))
        if len(chunk) == 1:
            return {chunk[0]: answer}
        self._chunks.extend((item,) for item in chunk)
        return {}
