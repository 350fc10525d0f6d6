"""A survey of AVIF and HEIC, which decoders take into memory whole: few items and samples, and not too long."""

from __future__ import annotations

import os
from typing import BinaryIO

from scales_cli.imaging.containers.boxes import MAX_BOXES, Box, read_box, read_boxes
from scales_cli.imaging.containers.excerpt import excerpt
from scales_cli.imaging.surveys.survey import MAX_FRAMES, Survey, check_bytes, check_count

_MAX_FILE_BYTES = 2**26
_MAX_META_BYTES = 2**24 + 2**22
_MAX_ITEMS = 4096
_NEEDED = (b"ftyp", b"meta", b"moov", b"mdat", b"idat")
_INSIDE = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"meta", b"iprp"}
_COUNTED = {b"iinf": _MAX_ITEMS, b"iloc": _MAX_ITEMS, b"ipma": _MAX_ITEMS, b"stsz": MAX_FRAMES, b"stts": MAX_FRAMES,
            b"stco": MAX_FRAMES, b"co64": MAX_FRAMES, b"stsc": MAX_FRAMES, b"stss": MAX_FRAMES}  # fmt: skip
_COPIES = 3


def survey_avif(stream: BinaryIO) -> Survey:
    size = stream.seek(0, os.SEEK_END)
    end = held = 0
    for count, box in enumerate(read_boxes(stream), 2):
        check_count(count, MAX_BOXES, "boxes")
        if box.kind in _NEEDED:
            end = box.end
        if box.kind in (b"meta", b"moov"):
            check_bytes(box.end - box.start, _MAX_META_BYTES, "metadata")
            held += _COPIES * (box.end - box.start)
            _check_counts(stream, box)
    end = end or size
    check_bytes(end, _MAX_FILE_BYTES, "AVIF")
    return Survey(stream=stream if end == size else excerpt(stream, [(0, end)]), held_bytes=held)


def _check_counts(stream: BinaryIO, box: Box) -> None:
    """Looks into boxes of boxes, none of which is in one of its own kind."""
    start = box.start + (4 if box.kind == b"meta" else 0)
    for count, inside in enumerate(read_boxes(stream, start, box.end), 2):
        check_count(count, MAX_BOXES, "boxes")
        if inside.kind in _INSIDE - {box.kind}:
            _check_counts(stream, inside)
        elif inside.kind == b"ipco":
            check_count(sum(1 for _ in read_boxes(stream, inside.start, inside.end)) + 1, MAX_BOXES, "properties")
        elif inside.kind in _COUNTED:
            check_count(_count(stream, inside), _COUNTED[inside.kind], "items or frames")


def _count(stream: BinaryIO, box: Box) -> int:
    content = read_box(stream, box, 16).ljust(16, b"\0")
    version = content[0]
    if box.kind == b"iinf":
        return int.from_bytes(content[4:6] if version == 0 else content[4:8], "big")
    if box.kind == b"iloc":
        return int.from_bytes(content[6:8] if version < 2 else content[6:10], "big")
    place = 8 if box.kind == b"stsz" else 4
    return int.from_bytes(content[place : place + 4], "big")
