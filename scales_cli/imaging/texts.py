"""Texts with a keyword, as PNG has them: titles, authors, and what programs that draw pictures were asked for.

Comments of JPEG and GIF are texts whose keyword is "Comment".
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import BinaryIO, Self

from scales_cli.imaging.containers import png
from scales_cli.imaging.surveys.survey import MAX_TEXT_BYTES

# What says who made the picture and what it shows, as the tags of EXIF that are always kept.
SAFE_KEYWORDS = frozenset({"Title", "Author", "Description", "Copyright", "Creation Time", "Software"})

COMMENT = "Comment"
_XMP = "XML:com.adobe.xmp"
_UNTRUE = ("Thumb::", "png:", "date:")  # thumbnails; what ImageMagick says of the file


@dataclass(frozen=True)
class Text:
    """A chunk: its type (tEXt, zTXt or iTXt) and its bytes, which come out as they came in."""

    kind: bytes
    data: bytes

    @classmethod
    def of(cls, keyword: str, text: bytes) -> Self:
        """Latin-1 is a tEXt, as is whatever is in no known code."""
        try:
            is_utf8 = not text.isascii() and bool(text.decode())
        except UnicodeDecodeError:
            is_utf8 = False
        if is_utf8:
            return cls(b"iTXt", keyword.encode("latin-1") + bytes(5) + text)
        return cls(b"tEXt", keyword.encode("latin-1") + b"\0" + text.replace(b"\0", b""))

    @property
    def keyword(self) -> str:
        return self.data.split(b"\0", 1)[0][:79].decode("latin-1")

    @property
    def content(self) -> bytes | None:
        """The text, not compressed: Latin-1 or UTF-8. None if it is damaged or too long."""
        rest = self.data.split(b"\0", 1)[1] if b"\0" in self.data else b""
        if self.kind == b"tEXt":
            return rest
        if self.kind == b"zTXt":
            return _inflated(rest[1:])
        parts = rest[2:].split(b"\0", 2)  # language, keyword in it, text
        if len(parts) < 3:
            return None
        return _inflated(parts[2]) if rest[:1] == b"\1" else parts[2]

    @property
    def utf8(self) -> bytes | None:
        """The text in UTF-8; that of tEXt and zTXt is Latin-1 by the standard, and UTF-8 in practice."""
        content = self.content
        if content is None:
            return None
        try:
            content.decode()
        except UnicodeDecodeError:
            return content.decode("latin-1").encode()
        return content

    @property
    def raw_profile(self) -> tuple[str, bytes] | None:
        """The kind and bytes of a profile that ImageMagick and others write as hexadecimal text."""
        if not self.keyword.startswith("Raw profile type "):
            return None
        lines = (self.content or b"").split(b"\n", 3)
        try:
            return self.keyword.rpartition(" ")[2].lower(), bytes.fromhex(lines[3].decode("ascii"))
        except (IndexError, ValueError):
            return None

    @property
    def is_text(self) -> bool:
        """Whether it is neither a record of another kind nor about the file."""
        return not (self.keyword == _XMP or self.raw_profile or self.keyword.startswith(_UNTRUE))


def read_texts(stream: BinaryIO) -> tuple[Text, ...]:
    """The texts of a PNG that was surveyed, before and behind the pixels."""
    chunks = [chunk for chunk in png.read_chunks(stream) if chunk.name in (b"tEXt", b"zTXt", b"iTXt")]
    return tuple(Text(chunk.name, png.read_chunk(stream, chunk, chunk.end - chunk.start)) for chunk in chunks)


def raw_profile(kind: str, data: bytes) -> Text:
    """A profile as hexadecimal text."""
    text = f"\n{kind}\n{len(data):8}\n" + data.hex(bytes_per_sep=-36, sep="\n") + "\n"
    return Text(b"zTXt", f"Raw profile type {kind}".encode() + b"\0\0" + zlib.compress(text.encode()))


def _inflated(data: bytes) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, MAX_TEXT_BYTES)
    except zlib.error:
        return None
    return text if inflater.eof else None
