"""The chunks of a PNG file (ISO/IEC 15948, clause 5): length, name, content, checksum."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 2**18 + 2**10  # those of a file of 2 GiB that is cut into pieces of 8 KiB

_HEAD = struct.Struct(">I4s")


class Chunk(NamedTuple):
    """The content lies in [start, end) of the file, its checksum behind it."""

    name: bytes
    start: int
    end: int


def read_chunks(stream: BinaryIO, start: int = 0) -> Iterator[Chunk]:
    """The chunks of the file that begins at `start`, up to IEND or the end; the last may be cut off."""
    position = start + len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        stream.seek(position)
        head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        size, name = _HEAD.unpack(head)
        chunk = Chunk(name, position + _HEAD.size, position + _HEAD.size + size)
        yield chunk
        if name == b"IEND":
            return
        position = chunk.end + 4


def read_chunk(stream: BinaryIO, chunk: Chunk, size: int = 2**16) -> bytes:
    """The first bytes of a chunk's content."""
    stream.seek(chunk.start)
    return stream.read(min(size, chunk.end - chunk.start))


def is_intact(stream: BinaryIO, chunk: Chunk) -> bool:
    """Whether a chunk is what its checksum says. It is held in memory."""
    stream.seek(chunk.start)
    data = stream.read(chunk.end - chunk.start + 4)
    return len(data) == chunk.end - chunk.start + 4 and data[-4:] == struct.pack(
        ">I", zlib.crc32(memoryview(data)[:-4], zlib.crc32(chunk.name))
    )
