"""The chunks of a WebP file (RFC 9649, section 2): name, length, content, padded to an even length."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_CHUNKS = 2**17

_HEAD = struct.Struct("<4sI")


class Chunk(NamedTuple):
    """The content lies in [start, end) of the file."""

    name: bytes
    start: int
    end: int

    @property
    def following(self) -> int:
        return self.end + self.end % 2


def read_chunks(stream: BinaryIO, start: int = 12, end: int | None = None) -> Iterator[Chunk]:
    """The chunks that lie in [start, end), by default in the file; the last may reach beyond that.

    Those of an animation's frame lie in its ANMF, 16 bytes behind where that begins.
    """
    if end is None:
        stream.seek(4)
        end = 8 + int.from_bytes(stream.read(4), "little")
    for _ in range(MAX_CHUNKS):
        stream.seek(start)
        head = stream.read(_HEAD.size)
        if start + _HEAD.size > end or len(head) < _HEAD.size:
            return
        name, size = _HEAD.unpack(head)
        chunk = Chunk(name, start + _HEAD.size, start + _HEAD.size + size)
        yield chunk
        start = chunk.following


def read_chunk(stream: BinaryIO, chunk: Chunk, size: int = 2**16) -> bytes:
    """The first bytes of a chunk's content."""
    stream.seek(chunk.start)
    return stream.read(min(size, chunk.end - chunk.start))
