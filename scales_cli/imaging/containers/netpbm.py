"""The header of a Netpbm file: a magic number, then numbers between white space and comments of any length."""

from __future__ import annotations

import os
import re
from typing import BinaryIO, NamedTuple

_BUFFER_BYTES = 2**16
_CHANNELS = {b"P4": 1, b"P5": 1, b"P6": 3}  # of binary pixels
_BETWEEN = re.compile(rb"(?:[ \t\n\r\v\f]++|#[^\n\r]*+[\n\r])*+")  # spaces, and comments that end
_END_OF_COMMENT = re.compile(rb"[\n\r]")


class Header(NamedTuple):
    """The words behind the magic number, and where the pixels begin."""

    magic: bytes
    words: tuple[bytes, ...]
    end: int


def read_header(stream: BinaryIO) -> Header | None:
    """The header of a bitmap, a greymap or a pixmap, plain or not; None if it is cut off, or another kind of file."""
    stream.seek(0)
    magic, position = stream.read(2), 2
    words = []
    for _ in range(2 if magic in (b"P1", b"P4") else 3):
        position = _skip(stream, position)
        stream.seek(position)
        data = stream.read(32)
        word = data.split(None, 1)[0] if data.strip() else b""
        if not word or len(word) > 10 or b"#" in word:
            return None
        words.append(word)
        position += len(word)
    return Header(magic, tuple(words), position + 1)


def has_further_pictures(stream: BinaryIO) -> bool:
    """Whether another picture follows the pixels of the first, which are binary."""
    header = read_header(stream)
    if header is None or header.magic not in _CHANNELS or not all(word.isdigit() for word in header.words):
        return False
    width, height, maximum = (*map(int, header.words), 1)[:3]
    row = -(-width // 8) if header.magic == b"P4" else width * _CHANNELS[header.magic] * (1 + (maximum > 255))
    if header.end + row * height > stream.seek(0, os.SEEK_END):
        return False
    stream.seek(header.end + row * height)
    return re.match(rb"\s*P[1-7]\s", stream.read(64)) is not None


def _skip(stream: BinaryIO, position: int) -> int:
    """Where the next word begins."""
    in_comment = False
    while True:
        stream.seek(position)
        data = stream.read(_BUFFER_BYTES)
        if not data:
            return position
        place = 0
        if in_comment:
            end = _END_OF_COMMENT.search(data)
            if end is None:
                position += len(data)
                continue
            place = end.end()
        between = _BETWEEN.match(data, place)
        assert between is not None  # as it may be empty
        position += between.end()
        in_comment = data[between.end() : between.end() + 1] == b"#"
        if between.end() < len(data) and not in_comment:
            return position
