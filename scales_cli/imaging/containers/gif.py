"""The blocks of a GIF file (version 89a): extensions and frames, whose data are chains of up to 255 bytes each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from scales_cli.errors import InputError

CONTROL, COMMENT, APPLICATION = 0xF9, 0xFE, 0xFF
MAX_LINKS = 2**23  # of all chains: those of a file of 2 GiB

_BUFFER_BYTES = 2**16
_BEGINNING = re.compile(rb"[!,;]")


class Block(NamedTuple):
    """An extension by its label, or a frame, whose `label` is None. It lies in [start, end) of the file."""

    label: int | None
    start: int
    end: int


def palette_bytes(flags: int) -> int:
    """The size of the palette that follows a screen's or a frame's description."""
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def read_blocks(stream: BinaryIO) -> Iterator[Block]:
    """The blocks up to the trailer or the end of the file. Raises `InputError` if they are in too many pieces."""
    stream.seek(10)
    position = 13 + palette_bytes((stream.read(1) or b"\0")[0])
    links = 0
    while True:
        stream.seek(position)
        head = stream.read(10)
        start = position
        if head[:1] == b"!" and len(head) > 1:
            label, position = head[1], position + 2
        elif head[:1] == b"," and len(head) == 10:
            label, position = None, position + 11 + palette_bytes(head[9])
        elif head[:1] in (b"", b";"):
            return
        else:  # between blocks, decoders pass over whatever it is
            passed = _junk(stream, position)
            position += passed
            links += passed
            _check(links)
            continue
        position, count = _end_of_chain(stream, position, MAX_LINKS - links)
        links += count
        _check(links)
        yield Block(label, start, position)


def read_application(stream: BinaryIO, name: bytes, max_bytes: int) -> bytes | None:
    """What an application of this name (11 bytes) says before the first frame, with the lengths of its pieces."""
    for block in read_blocks(stream):
        if block.label is None:
            return None
        stream.seek(block.start + 3)
        if block.label == APPLICATION and stream.read(len(name)) == name:
            return stream.read(min(block.end - stream.tell(), max_bytes))
    return None


def joined(pieces: bytes) -> bytes:
    """The data of a chain's pieces, without their lengths."""
    data, place = [], 0
    while place < len(pieces) and (size := pieces[place]):
        data.append(pieces[place + 1 : place + 1 + size])
        place += 1 + size
    return b"".join(data)


def _check(links: int) -> None:
    if links >= MAX_LINKS:
        raise InputError(f"it has more than {MAX_LINKS} pieces of data", "open it in an image editor and save it again")


def _junk(stream: BinaryIO, position: int) -> int:
    """How many bytes there are up to where a block may begin, one at least."""
    stream.seek(position + 1)
    data = stream.read(_BUFFER_BYTES)
    found = _BEGINNING.search(data)
    return 1 + (len(data) if found is None else found.start())


def _end_of_chain(stream: BinaryIO, position: int, room: int) -> tuple[int, int]:
    """Where a chain ends, and how many links it has, up to `room`."""
    links = 0
    while links < room:
        stream.seek(position)
        data = stream.read(_BUFFER_BYTES)
        place, size = 0, len(data)
        while place < size and (step := data[place]):
            place += step + 1
            links += 1
        if place < size:
            return position + place + 1, links
        if not size:
            break
        position += place
    return position, links
