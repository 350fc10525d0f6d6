"""A survey of PNG.

Decoders get the chunks that say how the picture looks, then its EXIF and texts, wherever they stood, then the pixels.
Of other chunks nobody reads the content. Profiles and texts are decompressed to see how long they are.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import BinaryIO

from scales_cli.errors import InputError
from scales_cli.imaging.containers.excerpt import Part, join
from scales_cli.imaging.containers.png import MAX_CHUNKS, Chunk, is_intact, read_chunk, read_chunks
from scales_cli.imaging.surveys.survey import (
    MAX_EXIF_BYTES,
    MAX_FRAMES,
    MAX_PROFILE_BYTES,
    MAX_SEGMENTS,
    MAX_TEXT_BYTES,
    MAX_TEXTS,
    Survey,
    check_bytes,
    check_count,
    excerpt_unless_all,
    too_long,
)

_LOOKS = {b"IHDR": 13, b"PLTE": 768, b"tRNS": 256}  # with their lengths: what it cannot be shown without
_STATED = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"pHYs": 9}
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PIXELS = (b"IDAT", b"fdAT", b"fcTL")
_XCODE = b"CgBI"  # decoders would swap its colours, or not decode it
_COPIES = 3  # of what decoders hold: as it was read, decoded, and as it is kept
_WORK = 4 * MAX_TEXT_BYTES  # bytes that are decompressed of one file, whether kept or not
_STEP = 2**16
_PILLOW_TEXT_BYTES = 2**20  # of a compressed text; it refuses a file with a longer one


def survey_png(stream: BinaryIO) -> Survey:
    chunks = _read(stream, 0)
    return Survey(
        stream=excerpt_unless_all(stream, chunks.parts),
        held_bytes=_COPIES * chunks.held_bytes,
        frames=max(1, min(chunks.frames, chunks.frames_stated)),
        profile=chunks.profile,
        left_out=tuple(dict.fromkeys(chunks.left_out)),
        notes=tuple(dict.fromkeys(chunks.notes)),
    )


def png_parts(stream: BinaryIO, start: int) -> tuple[list[Part], int]:
    """What decoders get of the PNG that begins at `start`, and what they hold of it beside pixels."""
    chunks = _read(stream, start)
    return chunks.parts, _COPIES * chunks.held_bytes


def _read(stream: BinaryIO, start: int) -> _Chunks:
    chunks = _Chunks(stream, start)
    for chunk in read_chunks(stream, start):
        chunks.add(chunk)
    return chunks


class _Chunks:
    """Sorts the chunks of a file."""

    def __init__(self, stream: BinaryIO, start: int) -> None:
        self.shown: list[Part] = []
        self.kept: list[Part] = []
        self.pixels: list[Part] = []
        self.profile: bytes | None = None
        self.frames = self.frames_stated = self.held_bytes = 0
        self.left_out: list[str] = []
        self.notes: list[str] = []
        self._stream, self._start = stream, start
        self._count = self._others = self._texts = 0
        self._room, self._work = MAX_TEXT_BYTES, _WORK
        self._seen: set[bytes] = set()

    @property
    def parts(self) -> list[Part]:
        return [(self._start, self._start + 8), *self.shown, *self.kept, *self.pixels]

    def add(self, chunk: Chunk) -> None:
        name, size = chunk.name, chunk.end - chunk.start
        self._count += 1
        check_count(self._count, MAX_CHUNKS - 1, "chunks")
        if name in _PIXELS or name == b"IEND":
            join(self.pixels, _whole(chunk))
            self.frames += name == b"fcTL"
            check_count(self.frames, MAX_FRAMES, "frames")
            return
        self._others += 1
        check_count(self._others, MAX_SEGMENTS, "chunks beside its pixels")
        if name == _XCODE:
            raise InputError(
                "a PNG that Xcode changed for iPhones (CgBI), which is none any more",
                "turn it back with `pngcrush -revert-iphone-optimizations`",
            )
        if name in _LOOKS:
            check_bytes(size, _LOOKS[name], name.decode())
            join(self.shown, _whole(chunk))
        elif name in _STATED:
            if size == _STATED[name] and is_intact(self._stream, chunk):
                join(self.shown, _whole(chunk))
            else:
                self.notes.append(f"its {name.decode()} is damaged and was left out")
        elif name == b"acTL":
            if not self.pixels:
                join(self.shown, _whole(chunk))
                self.frames_stated = int.from_bytes(read_chunk(self._stream, chunk, 4), "big")
        elif name in _TEXTS:
            self._add_text(chunk, size)
        elif name in (b"iCCP", b"eXIf") and name not in self._seen:
            self._seen.add(name)
            (self._add_profile if name == b"iCCP" else self._add_exif)(chunk, size)

    def _add_exif(self, chunk: Chunk, size: int) -> None:
        check_bytes(size, MAX_EXIF_BYTES, "EXIF")
        if is_intact(self._stream, chunk):
            join(self.kept, _whole(chunk))
            self.held_bytes += size
        else:
            self.notes.append("its EXIF is damaged and was left out")

    def _add_profile(self, chunk: Chunk, size: int) -> None:
        check_bytes(size, MAX_PROFILE_BYTES, "colour profile")
        data = read_chunk(self._stream, chunk, size)
        inflater = zlib.decompressobj()
        try:
            self.profile = inflater.decompress(data[data.find(b"\0") + 2 :], MAX_PROFILE_BYTES + 1)
        except zlib.error:
            self.notes.append("its colour profile is damaged and was left out")
            return
        check_bytes(len(self.profile), MAX_PROFILE_BYTES, "colour profile")
        self.held_bytes += len(self.profile)

    def _add_text(self, chunk: Chunk, size: int) -> None:
        self._texts += 1
        if self._texts > MAX_TEXTS or size > self._room:
            self.left_out.append(too_long("texts", MAX_TEXT_BYTES))
        elif not is_intact(self._stream, chunk):
            self.notes.append("a text in it is damaged and was left out")
        elif (length := self._text_bytes(chunk, size)) is None or length > self._room:
            self.left_out.append(too_long("texts", MAX_TEXT_BYTES))
        else:
            join(self.kept, _whole(chunk))
            self._room -= length
            self.held_bytes += length

    def _text_bytes(self, chunk: Chunk, size: int) -> int | None:
        """What a text takes when it is decompressed; None if that is too much."""
        data = read_chunk(self._stream, chunk, size)
        rest = data.partition(b"\0")[2]
        if chunk.name == b"zTXt":
            packed = rest[1:]
        elif chunk.name == b"iTXt" and rest[:1] not in (b"", b"\0"):
            packed = rest[2:].split(b"\0", 2)[-1]
        else:
            return size
        inflater, length = zlib.decompressobj(), 0
        with suppress(zlib.error):  # which leaves a text empty
            while packed and not inflater.eof:
                length += len(inflater.decompress(packed, _STEP))
                packed = inflater.unconsumed_tail
                if length > min(_PILLOW_TEXT_BYTES, self._work):
                    self._work -= length
                    return None
        self._work -= length
        return size + length


def _whole(chunk: Chunk) -> tuple[int, int]:
    return chunk.start - 8, chunk.end + 4
