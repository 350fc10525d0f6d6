"""TIFF 6.0 of 16 bits a channel, deflated strips with horizontal differences: grey, grey+alpha, RGB, RGBA."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np

from scales_cli.errors import OutputError
from scales_cli.imaging.picture import Picture

_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7
_TYPE_CODES = {_SHORT: "H", _LONG: "I", _UNDEFINED: "B"}
_ROWS = 64  # rows of a strip


def write_tiff16(picture: Picture, stream: BinaryIO, level: int) -> None:
    """Header, strips, then the directory that points back at them; little endian."""
    height, width, channels = picture.pixels.shape
    start = stream.tell()
    stream.write(b"II*\0" + bytes(4))
    offsets, lengths = [], []
    for top in range(0, height, _ROWS):
        samples = picture.pixels[top : top + _ROWS].astype("<u2")
        samples[:, 1:] -= samples[:, :-1].copy()
        strip = zlib.compress(samples.tobytes(), level)
        offsets.append(stream.tell() - start)
        lengths.append(len(strip))
        stream.write(strip + bytes(len(strip) % 2))
    tags: dict[int, tuple[int, tuple[int, ...] | bytes]] = {
        256: (_LONG, (width,)),
        257: (_LONG, (height,)),
        258: (_SHORT, (16,) * channels),
        259: (_SHORT, (8,)),  # deflate
        262: (_SHORT, (2 if channels >= 3 else 1,)),  # RGB, or black is zero
        273: (_LONG, tuple(offsets)),
        277: (_SHORT, (channels,)),
        278: (_LONG, (_ROWS,)),
        279: (_LONG, tuple(lengths)),
        317: (_SHORT, (2,)),  # horizontal differences
    }
    if picture.dpi is not None:
        for tag, value in zip((282, 283), picture.dpi, strict=True):
            tags[tag] = (_RATIONAL, (round(value * 1000), 1000))
        tags[296] = (_SHORT, (2,))  # per inch
    if picture.has_alpha:
        tags[338] = (_SHORT, (2,))  # not premultiplied
    if picture.icc_profile is not None:
        tags[34675] = (_UNDEFINED, picture.icc_profile)
    directory = stream.tell() - start
    if directory > 2**32 - 2**25:
        raise OutputError("the result is too large for a TIFF file", "choose PNG")
    stream.write(_directory(tags, directory))
    stream.seek(start + 4)
    stream.write(struct.pack("<I", directory))
    stream.seek(0, 2)


def _directory(tags: dict[int, tuple[int, tuple[int, ...] | bytes]], position: int) -> bytes:
    """One image file directory; values of more than four bytes follow it."""
    entries, values = b"", b""
    after = position + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        if kind == _RATIONAL:
            count, packed = 1, np.array(value, "<u4").tobytes()
        else:
            count, packed = len(value), struct.pack(f"<{len(value)}{_TYPE_CODES[kind]}", *value)
        entries += struct.pack("<HHI", tag, kind, count)
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack("<I", after + len(values))
            values += packed + bytes(len(packed) % 2)
    return struct.pack("<H", len(tags)) + entries + bytes(4) + values
