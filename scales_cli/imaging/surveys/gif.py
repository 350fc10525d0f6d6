"""A survey of GIF: decoders get frames with what controls them, how often they run, and a comment that is not long."""

from __future__ import annotations

import struct
from typing import BinaryIO

from scales_cli.imaging.containers.excerpt import Part, join
from scales_cli.imaging.containers.gif import APPLICATION, COMMENT, CONTROL, palette_bytes, read_blocks
from scales_cli.imaging.surveys.survey import (
    MAX_FRAMES,
    MAX_SEGMENTS,
    Survey,
    check_count,
    excerpt_unless_all,
    too_long,
)

_MAX_COMMENT_BYTES = 2**16
_MOST_OF_CANVAS = 4  # times the picture's size: viewers cut off what lies outside, Pillow makes room for it
_COPIES = 32  # of comments, which Pillow keeps in pieces


def survey_gif(stream: BinaryIO) -> Survey:
    stream.seek(6)
    width, height, flags = struct.unpack("<HHB", stream.read(5).ljust(5, b"\0"))
    end = 13 + palette_bytes(flags)
    parts: list[Part] = [(0, end)]
    frames = others = comments = 0
    left_out = []
    for block in read_blocks(stream):
        end = block.end
        if block.label is None:
            frames += 1
            if frames > MAX_FRAMES:
                break
            _check_frame(stream, block.start, width * height)
        else:
            others += 1
            check_count(others, MAX_FRAMES + MAX_SEGMENTS, "extensions")
        if block.label not in (None, CONTROL):
            stream.seek(block.start + 3)
            is_loop = block.label == APPLICATION and stream.read(11) == b"NETSCAPE2.0"
            size = block.end - block.start
            if block.label == COMMENT and comments + size <= _MAX_COMMENT_BYTES:
                comments += size
            elif not is_loop:
                if block.label == COMMENT:
                    left_out.append(too_long("comments", _MAX_COMMENT_BYTES))
                continue
        join(parts, (block.start, block.end))
    join(parts, (end, end + 1))  # the trailer
    return Survey(
        stream=excerpt_unless_all(stream, parts),
        held_bytes=_COPIES * comments,
        frames=max(1, frames),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _check_frame(stream: BinaryIO, start: int, pixels: int) -> None:
    stream.seek(start + 1)
    left, top, width, height = struct.unpack("<4H", stream.read(8).ljust(8, b"\0"))
    check_count((left + width) * (top + height), max(_MOST_OF_CANVAS * pixels, 2**20), "pixels in a frame")
