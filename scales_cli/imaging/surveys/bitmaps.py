"""Surveys of BMP, whose compressed pixels are not longer than they can be, and of icons, of which decoders get one."""

from __future__ import annotations

import struct
from math import ceil, log2
from typing import BinaryIO, NamedTuple

from scales_cli.errors import InputError
from scales_cli.imaging.containers.excerpt import Part, excerpt, part_size
from scales_cli.imaging.containers.png import SIGNATURE
from scales_cli.imaging.surveys.png import png_parts
from scales_cli.imaging.surveys.survey import Survey, check_bytes, check_count

DIB_HEADER_BYTES = (12, 40, 52, 56, 64, 108, 124)  # those that are known
_RUN_LENGTHS = (1, 2)  # compressions
_PALETTE_BYTES = 2**12
_MAX_ICON_PIXELS = 2**20  # icons are decoded as soon as they are opened
_MAX_ICONS = 1000


class _Icon(NamedTuple):
    """`entry` are the bytes of it that say neither length nor place."""

    pixels: int
    depth: int
    entry: bytes
    length: int
    place: int


def survey_bmp(stream: BinaryIO, start: int = 14) -> Survey:
    end = _check_bitmap(stream, start)
    return Survey(stream=stream if end is None else excerpt(stream, [(0, end)]))


def survey_dib(stream: BinaryIO) -> Survey:
    return survey_bmp(stream, 0)


def _check_bitmap(stream: BinaryIO, start: int) -> int | None:
    """Where pixels that are run lengths end at the latest."""
    stream.seek(start)
    head = stream.read(20)
    if len(head) < 12:
        raise InputError("the picture is truncated", "get the file again")
    head = head.ljust(20, b"\0")
    size: int = int.from_bytes(head[:4], "little")
    width, height = (int.from_bytes(head[place : place + 4], "little", signed=True) for place in (4, 8))
    if size not in DIB_HEADER_BYTES:
        raise InputError("this kind of BMP is not supported", "save it as PNG")
    if size == 12 or int.from_bytes(head[16:20], "little") not in _RUN_LENGTHS:
        return None
    offset = _PALETTE_BYTES
    if start:
        stream.seek(10)
        offset = int.from_bytes(stream.read(4), "little")
    return offset + 4 * (abs(width) + 2) * (abs(height) + 2) + _PALETTE_BYTES


def survey_icon(stream: BinaryIO) -> Survey:
    """The largest of the icons, of the fewest colours, as the only one."""
    stream.seek(4)
    count = int.from_bytes(stream.read(2), "little")
    check_count(count, _MAX_ICONS, "icons")
    data = stream.read(16 * count)
    if not data[:16]:
        return Survey(stream=stream)
    icons = [_icon(data[place : place + 16].ljust(16, b"\0")) for place in range(0, len(data), 16)]
    chosen = max(icons, key=lambda icon: (icon.pixels, -icon.depth))
    stream.seek(chosen.place)
    head = stream.read(24).ljust(24, b"\0")
    parts: list[Part] = [(chosen.place, chosen.place + chosen.length)]
    held = 0
    if head.startswith(SIGNATURE):
        parts, held = png_parts(stream, chosen.place)
        width, height = struct.unpack_from(">II", head, 16)
    else:
        _check_bitmap(stream, chosen.place)
        width, height = struct.unpack_from("<HH" if head[0] == DIB_HEADER_BYTES[0] else "<ii", head, 4)
        width, height = abs(width), abs(height) // 2  # that of picture and mask together
        check_bytes(chosen.length, 2**24, "icon")
    if width * height > _MAX_ICON_PIXELS:
        raise InputError(f"it holds an icon of {width} x {height} pixels", "save that as PNG")
    length = sum(map(part_size, parts))
    header = b"\0\0\1\0\1\0" + chosen.entry + struct.pack("<II", length, 22)
    return Survey(stream=excerpt(stream, [header, *parts]), held_bytes=held)


def _icon(entry: bytes) -> _Icon:
    width, height, colors, bits = entry[0] or 256, entry[1] or 256, entry[2], int.from_bytes(entry[6:8], "little")
    length, place = struct.unpack_from("<II", entry, 8)
    depth = bits or (ceil(log2(colors)) if colors else 0) or 256
    return _Icon(width * height, depth, entry[:8], length, place)
