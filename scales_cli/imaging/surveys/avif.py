"""A survey of AVIF and HEIC, which decoders take into memory whole: few items and samples, and not too long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from scales_cli.imaging.containers.av1 import frame_size
from scales_cli.imaging.containers.boxes import MAX_BOXES, Box, read_box, read_boxes
from scales_cli.imaging.containers.excerpt import excerpt
from scales_cli.imaging.surveys.survey import MAX_FRAMES, Survey, check_bytes, check_count

_MAX_FILE_BYTES = 2**26
_MAX_META_BYTES = 2**24 + 2**22
_MAX_ITEMS = 4096
_MAX_ALL_BOXES = 4 * MAX_BOXES  # those within others, too
_MAX_ITEM_BYTES = 2**20  # of all descriptions
_NEEDED = (b"ftyp", b"meta", b"moov", b"mdat", b"idat")
_INSIDE = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"meta", b"iprp"}
_COUNTED = {b"iinf": _MAX_ITEMS, b"iloc": _MAX_ITEMS, b"ipma": _MAX_ITEMS, b"stsz": MAX_FRAMES, b"stts": MAX_FRAMES,
            b"stco": MAX_FRAMES, b"co64": MAX_FRAMES, b"stsc": MAX_FRAMES, b"stss": MAX_FRAMES}  # fmt: skip
_COPIES = 3
_HEADER_BYTES = 512  # of a frame, in which its size is


def survey_avif(stream: BinaryIO) -> Survey:
    size = stream.seek(0, os.SEEK_END)
    end = held = seen = 0
    coded = 0  # pixels of the largest frame, whatever the boxes say
    for count, box in enumerate(read_boxes(stream), 2):
        check_count(count, MAX_BOXES, "boxes")
        if box.kind in _NEEDED:
            end = box.end
        if box.kind in (b"meta", b"moov"):
            check_bytes(box.end - box.start, _MAX_META_BYTES, "metadata")
            held += _COPIES * (box.end - box.start)
            seen = _check_counts(stream, box, seen)
            for place in _frames(stream, box):
                stream.seek(place)
                width, height = frame_size(stream.read(_HEADER_BYTES)) or (0, 0)
                coded = max(coded, width * height)
    end = end or size
    check_bytes(end, _MAX_FILE_BYTES, "AVIF")
    return Survey(stream=stream if end == size else excerpt(stream, [(0, end)]), held_bytes=held, coded_pixels=coded)


def _check_counts(stream: BinaryIO, box: Box, seen: int) -> int:
    """Looks into boxes of boxes, none of which is in one of its own kind; how many were `seen` in all."""
    start = box.start + (4 if box.kind == b"meta" else 0)
    for count, inside in enumerate(read_boxes(stream, start, box.end), 2):
        check_count(count, MAX_BOXES, "boxes")
        seen += 1
        check_count(seen, _MAX_ALL_BOXES, "boxes")
        if inside.kind in _INSIDE - {box.kind}:
            seen = _check_counts(stream, inside, seen)
        elif inside.kind == b"ipco":
            check_count(sum(1 for _ in read_boxes(stream, inside.start, inside.end)) + 1, MAX_BOXES, "properties")
        elif inside.kind in _COUNTED:
            check_count(_count(stream, inside), _COUNTED[inside.kind], "items or frames")
    return seen


def _count(stream: BinaryIO, box: Box) -> int:
    content = read_box(stream, box, 16).ljust(16, b"\0")
    version = content[0]
    if box.kind == b"iinf":
        return int.from_bytes(content[4:6] if version == 0 else content[4:8], "big")
    if box.kind == b"iloc":
        return int.from_bytes(content[6:8] if version < 2 else content[6:10], "big")
    place = 8 if box.kind == b"stsz" else 4
    return int.from_bytes(content[place : place + 4], "big")


def _frames(stream: BinaryIO, box: Box) -> Iterator[int]:
    """Where the items of a box `meta` begin, or the first frames of the tracks of a box `moov`."""
    if box.kind == b"meta":
        parts = {inside.kind: inside for inside in read_boxes(stream, box.start + 4, box.end)}
        if b"iloc" in parts:
            yield from _items(read_box(stream, parts[b"iloc"], _MAX_ITEM_BYTES), parts.get(b"idat"))
        return
    for inside in read_boxes(stream, box.start, box.end):
        if inside.kind in (b"stco", b"co64"):
            size = 4 if inside.kind == b"stco" else 8
            yield int.from_bytes(read_box(stream, inside, 16)[8 : 8 + size], "big") % 2**62
        elif inside.kind in _INSIDE - {box.kind, b"meta"}:
            yield from _frames(stream, inside)


def _items(content: bytes, data: Box | None) -> Iterator[int]:
    """The places at which the first extents of items begin."""
    position = 0

    def number(size: int) -> int:
        nonlocal position
        position += size
        return int.from_bytes(content[position - size : position], "big")

    version = number(4) >> 24
    sizes = number(2)
    offset_size, length_size, base_size, index_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15
    for _ in range(number(4 if version == 2 else 2)):
        if position >= len(content):
            return
        number(4 if version == 2 else 2)
        is_inside = version > 0 and number(2) & 15 == 1
        number(2)
        base, extents = number(base_size), number(2)
        index_size *= version > 0
        if extents:
            number(index_size)
            yield (base + number(offset_size) + (data.start if is_inside and data is not None else 0)) % 2**62
            position += length_size + (extents - 1) * (index_size + offset_size + length_size)
