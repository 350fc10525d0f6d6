"""The header of a Netpbm file: a magic number, then numbers between white space and comments of any length."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

_BUFFER_BYTES = 2**16
_SPACES = b" \t\n\r\v\f"


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


def _skip(stream: BinaryIO, position: int) -> int:
    """Where the next word begins."""
    in_comment = False
    while True:
        stream.seek(position)
        data = stream.read(_BUFFER_BYTES)
        if not data:
            return position
        if in_comment:
            ends = [place for place in (data.find(b"\n"), data.find(b"\r")) if place >= 0]
            in_comment = not ends
            position += min(ends) if ends else len(data)
            continue
        spaces = len(data) - len(data.lstrip(_SPACES))
        position += spaces
        in_comment = data[spaces : spaces + 1] == b"#"
        if spaces < len(data) and not in_comment:
            return position
