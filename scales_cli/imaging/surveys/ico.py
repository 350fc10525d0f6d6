"""A survey of ICO: the sizes of its pictures, which are decoded as soon as the file is opened."""

from __future__ import annotations

import struct
from typing import BinaryIO

from scales_cli.errors import InputError
from scales_cli.imaging.containers.png import SIGNATURE
from scales_cli.imaging.surveys.survey import Survey

MAX_PIXELS = 2**20  # of one; they are meant to have 256 x 256

_ENTRY = struct.Struct("<12xI")  # the last of it: where the picture begins
_DIB_HEADER = 40  # or more bytes; the older one has 12, and narrower fields


def survey_ico(stream: BinaryIO) -> Survey:
    stream.seek(4)
    count = int.from_bytes(stream.read(2), "little")
    directory = stream.read(count * _ENTRY.size)
    for (start,) in _ENTRY.iter_unpack(directory[: len(directory) // _ENTRY.size * _ENTRY.size]):
        stream.seek(start)
        width, height = _size(stream.read(24))
        if width * height > MAX_PIXELS:
            raise InputError(f"it holds an icon of {width} x {height} pixels", "save that as PNG")
    return Survey(stream=stream)


def _size(head: bytes) -> tuple[int, int]:
    """Of a PNG, or of a bitmap, which is as high as picture and mask together."""
    if head.startswith(SIGNATURE):
        width, height = struct.unpack_from(">II", head.ljust(24, b"\0"), 16)
        return width, height
    header, *_ = struct.unpack_from("<I", head.ljust(24, b"\0"))
    width, height = struct.unpack_from("<ii" if header >= _DIB_HEADER else "<HH", head.ljust(24, b"\0"), 4)
    return abs(width), abs(height) // 2
