"""The segments and scans of a JPEG file (ITU-T T.81, annex B): a marker, and mostly a length and as many bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
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
    while True:
        stream.seek(position)
        head = stream.read(4)  # mostly a marker and a length
        if pattern.match(head) is None:
            found = _find(stream, position, pattern)
            if found is None:
                return
            position = found
            stream.seek(position)
            head = stream.read(4)
        marker, content = head[1], position + 2
        if marker in _ALONE:
            yield Segment(marker, position, content, content)
            if marker == EOI:
                return
            position = content
            continue
        if len(head) < 4:
            return
        end = content + max(2, int.from_bytes(head[2:], "big"))
        yield Segment(marker, position, content + 2, end)
        position, pattern = end, _MARKER_IN_SCAN if marker == SOS else _MARKER


def read_segment(stream: BinaryIO, segment: Segment, size: int = 2**16) -> bytes:
    """The first bytes of a segment's content."""
    stream.seek(segment.start)
    return stream.read(min(size, segment.end - segment.start))


def _find(stream: BinaryIO, position: int, pattern: re.Pattern[bytes]) -> int | None:
    """Where the next marker is."""
    while True:
        stream.seek(position)
        data = stream.read(_BLOCK)
        if (match := pattern.search(data)) is not None:
            return position + match.start()
        if len(data) < 2:
            return None
        position += len(data) - (data[-1] == 0xFF)
