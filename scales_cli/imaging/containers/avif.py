"""AVIF (HEIF, ISO/IEC 23008-12): what the properties of the primary item, and the items beside it, say."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

from scales_cli.imaging.containers.boxes import Box, read_box, read_boxes

AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


@dataclass(frozen=True)
class Avif:
    """`cicp` are the numbers of primaries, transfer and matrix, and whether the range is full, if nclx says them.

    `crop` is what clap leaves of the stored picture, (left, top, right, bottom). `others` names the further pictures
    of the file that belong to this one: gain maps, depth maps.
    """

    depth: int = 8
    cicp: tuple[int, int, int, int] | None = None
    crop: tuple[int, int, int, int] | None = None
    others: tuple[str, ...] = ()


def read_avif(stream: BinaryIO) -> Avif:
    """What is said; of damaged boxes, which decoders refuse, nothing is."""
    meta = next((box for box in read_boxes(stream) if box.kind == b"meta"), None)
    if meta is None:
        return Avif()
    parts = {box.kind: box for box in read_boxes(stream, meta.start + 4, meta.end)}
    try:
        return _read(stream, parts, _primary(stream, parts[b"pitm"]))
    except (KeyError, IndexError, ValueError, struct.error, ZeroDivisionError):
        return Avif()


def _read(stream: BinaryIO, parts: dict[bytes, Box], primary: int) -> Avif:
    properties = list(_properties(stream, parts[b"iprp"], primary))
    depth, cicp, crop, size = 8, None, None, (0, 0)
    for box in properties:
        content = read_box(stream, box)
        if box.kind == b"pixi":
            depth = max(content[5 : 5 + content[4]])
        elif box.kind == b"ispe":
            width, height = struct.unpack_from(">II", content, 4)
            size = (width, height)
        elif box.kind == b"colr" and content[:4] == b"nclx":
            *numbers, is_full = struct.unpack_from(">3HB", content, 4)
            cicp = (*numbers, is_full >> 7)
        elif box.kind == b"av1C" and not any(other.kind == b"pixi" for other in properties):
            depth = (8, 10, 8, 12)[content[2] >> 5 & 3]
    for box in properties:
        if box.kind == b"clap":
            crop = _crop(struct.unpack_from(">IIIIiIiI", read_box(stream, box)), size)
    return Avif(depth, cicp, crop, _others(stream, parts))


def _primary(stream: BinaryIO, box: Box) -> int:
    content = read_box(stream, box)
    return int.from_bytes(content[4:6] if content[0] == 0 else content[4:8], "big")


def _properties(stream: BinaryIO, iprp: Box, item: int) -> Iterator[Box]:
    """The properties of an item."""
    inside = list(read_boxes(stream, iprp.start, iprp.end))
    boxes = [box for part in inside if part.kind == b"ipco" for box in read_boxes(stream, part.start, part.end)]
    for box in inside:
        if box.kind != b"ipma":
            continue
        content = read_box(stream, box)
        has_long_items, has_long_indices = content[0] > 0, content[3] & 1
        position = 8
        for _ in range(int.from_bytes(content[4:8], "big")):
            step = 4 if has_long_items else 2
            found = int.from_bytes(content[position : position + step], "big")
            position += step
            count, size = content[position], 2 if has_long_indices else 1
            indices = content[position + 1 : position + 1 + size * count]
            position += 1 + size * count
            if found == item:
                for start in range(0, len(indices), size):
                    index = int.from_bytes(indices[start : start + size], "big") & (0x7FFF if size == 2 else 0x7F)
                    if index:
                        yield boxes[index - 1]


def _crop(values: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """What a clean aperture leaves of a picture; None if it leaves all, or is no part of it."""
    width, height, right, down = (
        Fraction(numerator, denominator) for numerator, denominator in zip(values[::2], values[1::2], strict=True)
    )
    left = Fraction(size[0], 2) + right - width / 2
    top = Fraction(size[1], 2) + down - height / 2
    is_whole = left == top == 0 and width == size[0] and height == size[1]
    is_part = 0 <= left < left + width <= size[0] and 0 <= top < top + height <= size[1]
    if is_whole or not is_part or any(edge.denominator != 1 for edge in (left, top, width, height)):
        return None
    return int(left), int(top), int(left + width), int(top + height)


def _others(stream: BinaryIO, parts: dict[bytes, Box]) -> tuple[str, ...]:
    names = []
    kinds = {_auxiliary_kind(stream, box).lower() for box in _all_properties(stream, parts)}
    has_tone_map = any(kind == b"tmap" for kind in _item_kinds(stream, parts.get(b"iinf")))
    if has_tone_map or any("gainmap" in kind for kind in kinds):
        names.append("gain map")
    if any("depth" in kind for kind in kinds):
        names.append("depth map")
    return tuple(names)


def _all_properties(stream: BinaryIO, parts: dict[bytes, Box]) -> Iterator[Box]:
    for box in read_boxes(stream, parts[b"iprp"].start, parts[b"iprp"].end):
        if box.kind == b"ipco":
            yield from read_boxes(stream, box.start, box.end)


def _auxiliary_kind(stream: BinaryIO, box: Box) -> str:
    return read_box(stream, box, 256)[4:].split(b"\0")[0].decode("ascii", "replace") if box.kind == b"auxC" else ""


def _item_kinds(stream: BinaryIO, iinf: Box | None) -> Iterator[bytes]:
    """The kinds of items, of those descriptions that have one."""
    if iinf is None:
        return
    version = read_box(stream, iinf, 1)
    start = iinf.start + (6 if version == b"\0" else 8)
    for box in read_boxes(stream, start, iinf.end):
        content = read_box(stream, box, 16)
        if box.kind == b"infe" and content[:1] in (b"\2", b"\3"):
            place = 8 if content[:1] == b"\2" else 10
            yield content[place : place + 4]
