"""How much a video file holds beside its frames and sound: attachments and indexes, which libraries read at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from scales_cli.imaging.containers.boxes import read_boxes

_EBML, _SEGMENT, _CLUSTER, _SEEK_HEAD = (
    b"\x1a\x45\xdf\xa3",
    b"\x18\x53\x80\x67",
    b"\x1f\x43\xb6\x75",
    b"\x11\x4d\x9b\x74",
)
_SEEK, _SEEK_POSITION = b"\x4d\xbb", b"\x53\xac"
_MOST_ELEMENTS = 100_000  # of a file: a cluster is some seconds
_MOST_PLACES = 64  # that are named at the beginning
_OF_FRAMES = (b"mdat", b"free", b"skip", b"wide", b"moof")


def bytes_beside(stream: BinaryIO) -> int:
    """Those of Matroska (WebM) and of MP4 (MOV); 0 of what has little of the kind."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if stream.read(4) == _EBML:
        return sum(_beside_clusters(stream, size))
    return sum(box.end - box.start for box in read_boxes(stream) if box.kind not in _OF_FRAMES)


@dataclass(frozen=True)
class _Element:
    """Of EBML (RFC 8794): its content begins at `start`; the size of one that is written as it comes is unknown."""

    kind: bytes
    start: int
    size: int | None


def _beside_clusters(stream: BinaryIO, end: int) -> Iterator[int]:
    """The sizes of what lies beside clusters, and of what is said to lie elsewhere."""
    position, segment, counted = 0, 0, set()
    for _ in range(_MOST_ELEMENTS):
        element = _element_at(stream, position) if position < end else None
        if element is None:
            return
        is_counted = position in counted
        counted.add(position)
        position = element.start
        if element.kind == _SEGMENT:
            segment = element.start
            continue
        if element.size is None:  # of a cluster, whose end nobody knows before it is read
            return
        if element.kind != _CLUSTER and not is_counted:
            yield min(element.size, end - position)
        if element.kind == _SEEK_HEAD:
            for place in _places(stream, element, segment):
                named = _element_at(stream, place) if place < end and place not in counted else None
                if named is not None and named.kind != _CLUSTER:
                    counted.add(place)
                    yield min(named.size or end, end - place)
        position += element.size


def _places(stream: BinaryIO, head: _Element, segment: int) -> Iterator[int]:
    for seek in _inside(stream, head):
        if seek.kind == _SEEK:
            for part in _inside(stream, seek):
                if part.kind == _SEEK_POSITION:
                    stream.seek(part.start)
                    yield segment + int.from_bytes(stream.read(min(part.size or 0, 8)), "big")


def _inside(stream: BinaryIO, parent: _Element) -> Iterator[_Element]:
    position = parent.start
    for _ in range(_MOST_PLACES):
        if position >= parent.start + (parent.size or 0):
            return
        element = _element_at(stream, position)
        if element is None or element.size is None:
            return
        yield element
        position = element.start + element.size


def _element_at(stream: BinaryIO, position: int) -> _Element | None:
    """None if there is none."""
    stream.seek(position)
    head = stream.read(12)
    kind_bytes = 9 - head[0].bit_length() if head else 9  # by the first bit that is set
    if kind_bytes > 4 or len(head) <= kind_bytes:
        return None
    first = head[kind_bytes]
    size_bytes = 9 - first.bit_length()
    if size_bytes > 8 or len(head) < kind_bytes + size_bytes:
        return None
    bits = 7 * size_bytes
    size = int.from_bytes(head[kind_bytes : kind_bytes + size_bytes], "big") & ((1 << bits) - 1)
    unknown = size == (1 << bits) - 1
    return _Element(head[:kind_bytes], position + kind_bytes + size_bytes, None if unknown else size)
