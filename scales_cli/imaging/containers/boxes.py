"""The boxes of JPEG 2000 (ISO/IEC 15444-1, annex I) and of AVIF (ISO/IEC 14496-12): length, kind, content."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_BOXES = 4096  # beside each other


@dataclass(frozen=True)
class Box:
    """The content of a box lies in [start, end) of the file."""

    kind: bytes
    start: int
    end: int


def read_boxes(stream: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that lie beside each other in [start, end), up to the first that does not fit in there."""
    end = stream.seek(0, os.SEEK_END) if end is None else end
    for _ in range(MAX_BOXES):
        stream.seek(start)
        head = stream.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        content = start + 8
        if size == 1 and len(head) == 16:
            content += 8
            size = int.from_bytes(head[8:], "big")
        following = start + size if size else end
        if not content <= following <= end:
            return
        yield Box(kind, content, following)
        start = following


def read_box(stream: BinaryIO, box: Box, size: int = 2**16) -> bytes:
    """The first bytes of a box's content."""
    stream.seek(box.start)
    return stream.read(min(size, box.end - box.start))
