"""PNG of 16 bits a channel (ISO/IEC 15948): grey, grey+alpha, RGB, RGBA."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.picture import Picture

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_PAETH = 4
_ROWS = 64  # rows filtered at a time


def write_png16(picture: Picture, stream: BinaryIO, level: int) -> None:
    """Paeth-filtered rows, one IDAT chunk for every 64 of them."""
    height, width, channels = picture.pixels.shape
    stream.write(b"\x89PNG\r\n\x1a\n")
    _write_chunk(stream, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0))
    if picture.icc_profile is not None:
        _write_chunk(stream, b"iCCP", b"ICC Profile\0\0" + zlib.compress(picture.icc_profile))
    if picture.dpi is not None:
        x, y = (round(value / 0.0254) for value in picture.dpi)
        _write_chunk(stream, b"pHYs", struct.pack(">IIB", x, y, 1))
    if picture.exif is not None:
        _write_chunk(stream, b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(level)
    for rows in _filtered(picture.pixels):
        _write_chunk(stream, b"IDAT", packer.compress(rows))
    _write_chunk(stream, b"IDAT", packer.flush())
    _write_chunk(stream, b"IEND", b"")


def _write_chunk(stream: BinaryIO, name: bytes, data: bytes) -> None:
    if data or name == b"IEND":
        stream.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def _filtered(pixels: NDArray[np.generic]) -> Iterator[bytes]:
    """Rows with their filter byte. Paeth predicts a byte by the one of left, up and corner nearest to l + u - c."""
    height, width, channels = pixels.shape
    step = 2 * channels
    above = np.zeros((1, step + width * step), np.int16)
    for top in range(0, height, _ROWS):
        block = np.ascontiguousarray(pixels[top : top + _ROWS].astype(">u2"))
        rows = np.zeros((len(block), step + width * step), np.int16)
        rows[:, step:] = block.view(np.uint8).reshape(len(block), -1)
        upper = np.concatenate([above, rows[:-1]])
        left, up, corner = rows[:, :-step], upper[:, step:], upper[:, :-step]
        by_left, by_up, by_corner = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
        nearest = np.where((by_left <= by_up) & (by_left <= by_corner), left, np.where(by_up <= by_corner, up, corner))
        filtered = np.full((len(block), 1 + width * step), _PAETH, np.uint8)
        filtered[:, 1:] = (rows[:, step:] - nearest).astype(np.uint8)
        above = rows[-1:]
        yield filtered.tobytes()
