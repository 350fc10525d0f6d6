"""Pictures that are cut off: whether anything of them is missing, how much, and what is left of them.

A JPEG decoder goes on behind the end of its data as if there were zeros, and then in grey. So a picture is decoded a
second time with other bytes behind its end: where the two differ, data are missing. The rows of a PNG are counted as
they are decompressed.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin

from scales_cli.errors import InputError
from scales_cli.imaging.containers.excerpt import excerpt
from scales_cli.imaging.containers.png import SIGNATURE, read_chunk, read_chunks
from scales_cli.imaging.readers.samples import crop, strips_of
from scales_cli.imaging.surveys.jpeg import END
from scales_cli.imaging.surveys.survey import Survey
from scales_cli.system.files import using_temporary_folder

_OTHER = b"\xaa" + bytes(np.random.default_rng(0).integers(0, 0xFF, 255, np.uint8))  # no markers: none is 0xFF
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by a PNG's color type
_HEAD = struct.Struct(">IIBBBBB")
_MAX_PIXEL_BYTES = 16  # of PNG's, with the filters of narrow pictures
_BUFFER_BYTES = 2**16
_PIECE_BYTES = 2**12  # of rows, of which the last is lost where data are damaged
_ZLIB_HEADER_BYTES = 2
_WRONG = "some of its data are damaged: parts of it may look wrong"


def check_end(survey: Survey, image: Image.Image, *, salvage: bool) -> str:
    """A note on what is missing of a loaded JPEG that is cut off. Raises `InputError` unless that may be salvaged."""
    rows = _complete_rows(survey.stream, image)
    if rows == image.height and not survey.lacks_scans:
        return "the mark of its end is missing, but none of its pixels"
    if not salvage:
        raise InputError("the picture is truncated", "get the file again, or add --salvage for what is left of it")
    if rows == image.height or survey.several_scans:
        return "it is cut off: the finer of its detail is missing, at least in part"
    return _missing(1 - rows / image.height)


@contextmanager
def salvaged(stream: BinaryIO, max_pixels: int) -> Iterator[tuple[BinaryIO, str | None]]:
    """A PNG that decoders read to its end, and a note on what is missing or wrong of it; other files as they are."""
    stream.seek(0)
    is_png = stream.read(len(SIGNATURE)) == SIGNATURE
    expected = _expected_bytes(stream) if is_png else 0
    found, checksum = 0, 1
    if expected <= _MAX_PIXEL_BYTES * max_pixels:  # more will be refused
        for piece in _decompressed(stream):
            found, checksum = found + len(piece), zlib.adler32(piece, checksum)
            if found > expected:
                break
    is_whole = found == expected and checksum == _stated_checksum(stream)
    if not 0 < found <= expected or is_whole:
        yield stream, None
        return
    with using_temporary_folder():
        whole: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (the errors of whoever reads are not those of writing)
    with whole:
        with using_temporary_folder():
            _write_png(stream, expected - found, whole)
        yield whole, _missing(1 - found / expected) if found < expected else _WRONG


def how_to_salvage(stream: BinaryIO | None, *, salvage: bool) -> str:
    """What to add to a hint about a file that decoders do not read to its end: it may be a PNG."""
    if stream is None:
        return ""
    stream.seek(0)
    start = stream.read(len(SIGNATURE))
    is_png = start == SIGNATURE
    if salvage:
        return "" if is_png or start.startswith(b"\xff\xd8") else "; --salvage is for JPEG and PNG"
    has_pixels = is_png and any(chunk.name == b"IDAT" for chunk in read_chunks(stream))
    return ", or add --salvage for what is left of it" if has_pixels else ""


def _missing(share: float) -> str:
    return f"it is cut off: {max(1, round(100 * share))} % of it are missing"


def _complete_rows(stream: BinaryIO, image: Image.Image) -> int:
    """The rows above the first for which data are missing."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(size - len(END) - 1)
    half = b"\0" if stream.read(1) == b"\xff" else b""  # which makes it a byte of the data
    other = JpegImagePlugin.JpegImageFile(excerpt(stream, [(0, size - len(END)), half + _OTHER, END]))
    other.load()
    for top, bottom in strips_of(image.height, image.width):
        differ = np.asarray(crop(image, top, bottom)) != np.asarray(crop(other, top, bottom))
        rows = np.flatnonzero(differ.reshape(bottom - top, -1).any(axis=1))
        if rows.size:
            return top + int(rows[0])
    return image.height


def _expected_bytes(stream: BinaryIO) -> int:
    """Those of all rows, each with its filter."""
    head = next(read_chunks(stream), None)
    if head is None or head.name != b"IHDR":
        return 0
    width, height, depth, color, _, _, interlace = _HEAD.unpack(read_chunk(stream, head, _HEAD.size).ljust(_HEAD.size))
    bits = depth * _CHANNELS.get(color, 1)
    passes = _PASSES if interlace == 1 else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = max(0, -(-(width - left) // across)), max(0, -(-(height - top) // down))
        total += rows * (1 + -(-columns * bits // 8)) if columns else 0
    return int(total)


def _stated_checksum(stream: BinaryIO) -> int:
    """That of all rows, which follows them."""
    end = b""
    for chunk in read_chunks(stream):
        if chunk.name == b"IDAT":
            stream.seek(max(chunk.start, chunk.end - 4))
            end = (end + stream.read(min(4, chunk.end - chunk.start)))[-4:]
    return int.from_bytes(end, "big")


def _decompressed(stream: BinaryIO) -> Iterator[bytes]:
    """The rows as far as they are there, in pieces, whatever their checksum."""
    inflater, header = zlib.decompressobj(-zlib.MAX_WBITS), _ZLIB_HEADER_BYTES
    with suppress(zlib.error):
        for chunk in read_chunks(stream):
            if chunk.name != b"IDAT":
                continue
            for start in range(chunk.start, chunk.end, _BUFFER_BYTES):
                stream.seek(start)
                packed = stream.read(min(_BUFFER_BYTES, chunk.end - start))
                packed, header = packed[header:], max(0, header - len(packed))
                while packed and not inflater.eof:
                    yield inflater.decompress(packed, _PIECE_BYTES)
                    packed = inflater.unconsumed_tail


def _write_png(stream: BinaryIO, missing: int, whole: BinaryIO) -> None:
    """The same file with all rows, those that are missing black, or transparent."""

    def write(name: bytes, data: bytes) -> None:
        whole.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name))))

    whole.write(SIGNATURE)
    end = stream.seek(0, os.SEEK_END)
    for chunk in read_chunks(stream):
        if chunk.name not in (b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT") and chunk.end + 4 <= end:
            stream.seek(chunk.start - 8)
            whole.write(stream.read(chunk.end + 12 - chunk.start))
    deflater = zlib.compressobj(1)
    zeros = (bytes(min(_BUFFER_BYTES, missing - start)) for start in range(0, missing, _BUFFER_BYTES))
    for piece in chain(_decompressed(stream), zeros):
        if packed := deflater.compress(piece):
            write(b"IDAT", packed)
    write(b"IDAT", deflater.flush())
    write(b"IEND", b"")
