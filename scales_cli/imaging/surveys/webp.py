"""A survey of WebP, which decoders take into memory whole: no chunks that nobody reads, nothing behind the end.

For the header they get a file of the same canvas and metadata, whose only frame is one pixel.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from scales_cli.imaging.containers.excerpt import Part, excerpt, join, part_size
from scales_cli.imaging.containers.riff import Chunk, read_chunk, read_chunks
from scales_cli.imaging.surveys.survey import (
    MAX_EXIF_BYTES,
    MAX_FRAMES,
    MAX_PROFILE_BYTES,
    MAX_SEGMENTS,
    MAX_TEXT_BYTES,
    Survey,
    check_bytes,
    check_count,
    too_long,
)

_FRAMES = (b"ANMF", b"VP8 ", b"VP8L")
_NEEDED = {b"ICCP": (MAX_PROFILE_BYTES, "colour profile"), b"EXIF": (MAX_EXIF_BYTES, "EXIF")}
_COPIES = 3
_ANIMATED, _HAS_ALPHA = 0x02, 0x10
_PIXEL = bytes.fromhex("5650384c0d0000002f00000010071011118888fe0700")  # a chunk VP8L
_ANIMATION = struct.pack("<4sIIH", b"ANIM", 6, 0, 0)
_FRAME = struct.pack("<4sI16s", b"ANMF", 16 + len(_PIXEL), bytes(12)) + _PIXEL


def survey_webp(stream: BinaryIO) -> Survey:
    parts: list[Part] = []
    records: list[Part] = []
    canvas = b""
    frames = others = held = 0
    left_out = []
    end = stream.seek(0, os.SEEK_END)
    for chunk in read_chunks(stream):
        length, whole = chunk.end - chunk.start, (chunk.start - 8, min(chunk.following, end))
        if chunk.name in _FRAMES:
            frames += 1
            check_count(frames, MAX_FRAMES, "frames")
            canvas = canvas or _canvas(stream, chunk)
        elif chunk.name != b"ALPH":
            others += 1
            check_count(others, MAX_SEGMENTS, "chunks beside its pixels")
            if chunk.name in _NEEDED:
                check_bytes(length, *_NEEDED[chunk.name])
            elif chunk.name == b"XMP " and length > MAX_TEXT_BYTES:
                left_out.append(too_long("XMP metadata", MAX_TEXT_BYTES))
                continue
            elif chunk.name == b"VP8X":
                canvas = canvas or _canvas(stream, chunk)
            elif chunk.name not in (b"ANIM", b"XMP "):
                continue
            if chunk.name not in (b"VP8X", b"ANIM"):
                held += length
                join(records, whole)
        join(parts, whole)
    return Survey(
        stream=stream if parts == [(12, end)] else excerpt(stream, _file(parts)),
        head=excerpt(stream, _file([canvas, _ANIMATION, _FRAME, *records])) if canvas else None,
        held_bytes=_COPIES * held,
        frames=max(1, frames),
        left_out=tuple(left_out),
    )


def _file(parts: list[Part]) -> list[Part]:
    size = 4 + sum(map(part_size, parts))
    return [struct.pack("<4sI4s", b"RIFF", size, b"WEBP"), *parts]


def _canvas(stream: BinaryIO, chunk: Chunk) -> bytes:
    """A chunk VP8X that says the size, and whether there is alpha, as the first chunk of a file does."""
    data = read_chunk(stream, chunk, 10).ljust(10, b"\0")
    if chunk.name == b"VP8X":
        return struct.pack("<4sI10s", b"VP8X", 10, bytes((data[0] | _ANIMATED,)) + data[1:])
    if chunk.name == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        width, height, has_alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    else:
        width, height, has_alpha = data[6] | data[7] << 8 & 0x3F00, data[8] | data[9] << 8 & 0x3F00, 0
        width, height = width - 1, height - 1
    flags = _ANIMATED | _HAS_ALPHA * has_alpha
    return struct.pack("<4sIB3x", b"VP8X", 10, flags) + b"".join(
        max(0, side).to_bytes(3, "little") for side in (width, height)
    )
