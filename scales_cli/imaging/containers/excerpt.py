"""A file without what decoders need not see: parts of another file, and bytes of our own, one behind the other."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import BinaryIO

Part = tuple[int, int] | bytes  # [start, end) of the file, or bytes that stand there instead

_BUFFER_BYTES = 2**16


def excerpt(stream: BinaryIO, parts: Iterable[Part], *, in_place: bool = False) -> BinaryIO:
    """A stream of these parts. `stream` stays the owner of the file, and is to be used by nobody else meanwhile.

    If all stand `in_place`, libraries in C that take a file's number get the file itself.
    """
    return io.BufferedReader(_Excerpt(stream, _joined(parts), in_place), _BUFFER_BYTES)


def join(parts: list[Part], part: Part) -> None:
    """Appends a part; one that begins where the last ends makes that longer."""
    last = parts[-1] if parts else None
    if not part_size(part):
        return
    if isinstance(part, bytes) and isinstance(last, bytes):
        parts[-1] = last + part
    elif isinstance(part, tuple) and isinstance(last, tuple) and last[1] == part[0]:
        parts[-1] = (last[0], part[1])
    else:
        parts.append(part)


def _joined(parts: Iterable[Part]) -> list[Part]:
    joined: list[Part] = []
    for part in parts:
        join(joined, part)
    return joined


def part_size(part: Part) -> int:
    """In bytes."""
    return len(part) if isinstance(part, bytes) else max(0, part[1] - part[0])


class _Excerpt(io.RawIOBase):
    def __init__(self, stream: BinaryIO, parts: list[Part], in_place: bool) -> None:
        self._in_place = in_place
        self._stream, self._parts = stream, parts
        self._places = list(accumulate(map(part_size, parts), initial=0))  # of each part, and of the end
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno() if self._in_place else super().fileno()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._places[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        index = bisect_right(self._places, self._position) - 1
        if index >= len(self._parts):
            return 0
        part, skipped = self._parts[index], self._position - self._places[index]
        size = min(len(buffer), self._places[index + 1] - self._position)
        if isinstance(part, bytes):
            data = part[skipped : skipped + size]
        else:
            self._stream.seek(part[0] + skipped)
            data = self._stream.read(size)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
