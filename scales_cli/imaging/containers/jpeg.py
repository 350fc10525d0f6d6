"""The segments and scans of a JPEG file (ITU-T T.81, annex B): a marker, and mostly a length and as many bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

SOI, EOI, SOS, DHP = 0xD8, 0xD9, 0xDA, 0xDE
APP0, COM = 0xE0, 0xFE
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # markers of a frame's header
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})

_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # of restarts there are many
_BLOCK = 2**16


class Segment(NamedTuple):
    """`marker` is the second byte of it. It begins at `place`, its content lies in [start, end)."""

    marker: int
    place: int
    start: int
    end: int


def read_segments(stream: BinaryIO, start: int = 0) -> Iterator[Segment]:
    """The segments from `start` on, up to EOI or the end of the file; bytes between them, as of scans, are passed over.

    Whoever wants no more than the header stops at the first SOS. Of the last segment, less may be there than said.
    """
    position, pattern = start, _MARKER
    while (found := _find(stream, position, pattern)) is not None:
        marker, content = found
        if marker in _ALONE:
            yield Segment(marker, content - 2, content, content)
            if marker == EOI:
                return
            position = content
            continue
        stream.seek(content)
        length = stream.read(2)
        if len(length) < 2:
            return
        end = content + max(2, int.from_bytes(length, "big"))
        yield Segment(marker, content - 2, content + 2, end)
        position, pattern = end, _MARKER_IN_SCAN if marker == SOS else _MARKER


def read_segment(stream: BinaryIO, segment: Segment, size: int = 2**16) -> bytes:
    """The first bytes of a segment's content."""
    stream.seek(segment.start)
    return stream.read(min(size, segment.end - segment.start))


def _find(stream: BinaryIO, position: int, pattern: re.Pattern[bytes]) -> tuple[int, int] | None:
    """The next marker, and where it ends."""
    size = 2  # mostly it is here
    while True:
        stream.seek(position)
        data = stream.read(size)
        if (match := pattern.search(data)) is not None:
            return data[match.end() - 1], position + match.end()
        if len(data) < 2:
            return None
        position += len(data) - (data[-1] == 0xFF)
        size = _BLOCK
