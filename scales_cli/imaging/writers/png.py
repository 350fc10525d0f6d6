"""PNG (ISO/IEC 15948) of 8 or 16 bits a channel: grey, grey+alpha, RGB, RGBA.

Each strip is deflated on its own up to a byte boundary (a sync flush) and is one IDAT chunk; together they are one
zlib stream, whose checksum is put together from those of the strips.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.containers.png import SIGNATURE
from scales_cli.imaging.exif import PREFIX
from scales_cli.imaging.iptc import as_resources
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.texts import Text, raw_profile
from scales_cli.imaging.writers.strips import rows_of_strip

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_PAETH = 4
_ZLIB_HEADER = b"\x78\x01"
_LAST_BLOCK = b"\x03\x00"  # of no bytes
_ADLER_BASE = 65521

Bytes = NDArray[np.uint8]


class PngWriter:
    """Every row has the Paeth filter, and only runs of a byte are looked for (Z_RLE).

    On enlarged photographs that gives the size of a search at level 4 in half of its time (16 bits: 3 % more, in a
    quarter), and files 10 % smaller than the best of the other filters row by row.
    """

    def __init__(self, layout: Layout, stream: BinaryIO) -> None:
        self.strip_rows = rows_of_strip(layout)
        self._stream = stream
        self._adler = 1
        bits = 8 * layout.dtype.itemsize
        header = struct.pack(">IIBBBBB", layout.width, layout.height, bits, _COLOR_TYPES[layout.channels], 0, 0, 0)
        stream.write(SIGNATURE + _chunk(b"IHDR", header))
        for name, content in layout.color_chunks:
            stream.write(_chunk(name, content))
        if layout.icc_profile is not None:
            stream.write(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(layout.icc_profile)))
        if layout.dpi is not None:
            x, y = (round(value / 0.0254) for value in layout.dpi)
            stream.write(_chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
        if layout.exif is not None:
            stream.write(_chunk(b"eXIf", layout.exif.removeprefix(PREFIX)))
        for text in as_texts(layout):
            stream.write(_chunk(text.kind, text.data))

    def encode(self, rows: Pixels, above: Pixels | None) -> tuple[bytes, int, int]:
        """The chunk, and the checksum and number of the bytes it was made of."""
        filtered = _paeth(rows, above)
        packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
        packed = packer.compress(filtered.data) + packer.flush(zlib.Z_SYNC_FLUSH)
        chunk = _chunk(b"IDAT", packed if above is not None else _ZLIB_HEADER + packed)
        return chunk, zlib.adler32(filtered.data), filtered.size

    def append(self, strip: tuple[bytes, int, int]) -> None:
        chunk, adler, size = strip
        self._adler = _joined_adler(self._adler, adler, size)
        self._stream.write(chunk)

    def finish(self) -> None:
        self._stream.write(_chunk(b"IDAT", _LAST_BLOCK + struct.pack(">I", self._adler)) + _chunk(b"IEND", b""))


def as_texts(layout: Layout) -> Iterator[Text]:
    """The texts of a picture, and the records that PNG has as texts."""
    if layout.xmp is not None:  # neither compressed nor in any language
        yield Text(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + layout.xmp)
    if layout.iptc is not None:
        yield raw_profile("iptc", as_resources(layout.iptc))
    yield from layout.texts


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _joined_adler(first: int, second: int, size: int) -> int:
    """Adler-32 of two pieces from their own, the second one of `size` bytes (RFC 1950, section 8.2).

    Of bytes b_i it is A = 1 + sum b_i and B = sum of all A on the way, both modulo the base, as B << 16 | A.
    """
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + size * ((first & 0xFFFF) - 1)
    return high % _ADLER_BASE << 16 | low % _ADLER_BASE


def _paeth(rows: Pixels, above: Pixels | None) -> Bytes:
    """Bytes of the filtered rows. Paeth predicts a byte by the one of left, up and corner nearest to l + u - c.

    In bytes without overflow: the distances are |u - c|, |l - c| and, where c lies between l and u, the difference of
    the two; elsewhere it is their sum, and the corner is never the nearest.
    """
    step = rows.shape[2] * rows.dtype.itemsize
    height, size = len(rows), rows.shape[1] * step
    padded = np.zeros((height + 1, step + size), np.uint8)
    padded[1:, step:] = _big_endian(rows)
    if above is not None:
        padded[:1, step:] = _big_endian(above)
    here, left, up, corner = padded[1:, step:], padded[1:, :-step], padded[:-1, step:], padded[:-1, :-step]
    by_left, by_up, low, high = np.empty((4, height, size), np.uint8)  # new arrays would cost more than the arithmetic
    _distance(up, corner, by_left, scratch=low)
    _distance(left, corner, by_up, scratch=low)
    np.subtract(np.maximum(by_left, by_up, out=high), np.minimum(by_left, by_up, out=low), out=high)
    at_corner = high < low
    at_corner &= np.minimum(left, up, out=low) < corner
    at_corner &= corner < np.maximum(left, up, out=high)
    at_left = by_left <= by_up
    nearest = _select(
        at_corner, corner, _select(at_left, left, up, out=low, scratch=by_left), out=high, scratch=by_left
    )
    filtered = np.empty((height, 1 + size), np.uint8)
    filtered[:, 0] = _PAETH
    np.subtract(here, nearest, out=filtered[:, 1:])
    return filtered


def _distance(first: Bytes, second: Bytes, out: Bytes, scratch: Bytes) -> None:
    np.subtract(np.maximum(first, second, out=out), np.minimum(first, second, out=scratch), out=out)


def _select(mask: NDArray[np.bool_], first: Bytes, second: Bytes, out: Bytes, scratch: Bytes) -> Bytes:
    """`np.where` in vector instructions."""
    np.negative(mask.view(np.uint8), out=scratch)
    np.bitwise_xor(first, second, out=out)
    out &= scratch
    out ^= second
    return out


def _big_endian(rows: Pixels) -> Bytes:
    ordered = np.ascontiguousarray(rows, rows.dtype.newbyteorder(">"))
    return ordered.view(np.uint8).reshape(len(rows), -1)
