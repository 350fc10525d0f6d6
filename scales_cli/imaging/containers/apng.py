"""The frames of an animated PNG (PNG specification, third edition, 11.3.6), each as a PNG file of its own."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

from scales_cli.errors import InputError
from scales_cli.imaging.containers.excerpt import Part, excerpt
from scales_cli.imaging.containers.png import SIGNATURE, Chunk, is_intact, read_chunk, read_chunks

_CONTROL = struct.Struct(">IIIIIHHBB")
_NUMBER_BYTES = 4  # before a frame's data
_USUAL_DENOMINATOR = 100  # where a file says 0
_LOOKS = (b"PLTE", b"tRNS")  # what no frame can be decoded without, beside the header
_STEP = 2**16


class Disposal(IntEnum):
    """What becomes of a frame's region before the next one."""

    NONE = 0
    BACKGROUND = 1
    PREVIOUS = 2


class Blend(IntEnum):
    SOURCE = 0
    OVER = 1


@dataclass(frozen=True)
class PngFrame:
    """A still PNG of a region of the picture, for `duration` milliseconds."""

    file: BinaryIO
    left: int
    top: int
    width: int
    height: int
    duration: float
    disposal: Disposal
    blend: Blend


def read_png_frames(stream: BinaryIO) -> Iterator[PngFrame]:
    """The frames, not decoded; their files are parts of `stream`. A defect is an `InputError` in its frame's turn."""
    frames = _Frames(stream)
    for chunk in read_chunks(stream):
        if chunk.name == b"fcTL":
            if frames.control is not None:
                yield frames.finished()
            frames.begin(chunk)
        else:
            frames.add(chunk)
    if frames.control is not None:
        yield frames.finished()


class _Frames:
    """Puts frames together chunk by chunk."""

    def __init__(self, stream: BinaryIO) -> None:
        self.control: Chunk | None = None
        self._stream = stream
        self._header = b""
        self._looks: dict[bytes, Part] = {}  # one of each name, or every frame would have as many as the file
        self._data: list[tuple[int, int]] = []
        self._is_main = False  # whether these data are those of the still picture, too
        self._number = 0

    def begin(self, control: Chunk) -> None:
        self._count(control)
        self.control, self._data, self._is_main = control, [], False

    def add(self, chunk: Chunk) -> None:
        if chunk.name == b"IHDR":
            self._header = read_chunk(self._stream, chunk)
        elif chunk.name in _LOOKS:
            self._looks[chunk.name] = (chunk.start - 8, chunk.end + 4)
        elif chunk.name == b"IDAT":  # before the first frame: a picture for programs that know no animations
            self._data.append((chunk.start, chunk.end))
            self._is_main = True
        elif chunk.name == b"fdAT":
            self._count(chunk)
            self._data.append((chunk.start + _NUMBER_BYTES, chunk.end))

    def finished(self) -> PngFrame:
        assert self.control is not None
        if self.control.end - self.control.start != _CONTROL.size or not is_intact(self._stream, self.control):
            raise _damaged()
        content = read_chunk(self._stream, self.control)
        _, width, height, left, top, delay, denominator, disposal, blend = _CONTROL.unpack(content)
        size = struct.unpack(">II", self._header[:8])
        fits = 0 < width <= size[0] - left and 0 < height <= size[1] - top
        if not fits or (self._is_main and (width, height) != size) or disposal > 2 or blend > 1:
            raise _damaged()
        duration = delay / (denominator or _USUAL_DENOMINATOR) * 1000
        file = self._file(width, height)
        return PngFrame(file, left, top, width, height, duration, Disposal(disposal), Blend(blend))

    def _count(self, chunk: Chunk) -> None:
        """Frames and pieces of their data are numbered together."""
        if read_chunk(self._stream, chunk, _NUMBER_BYTES) != self._number.to_bytes(_NUMBER_BYTES, "big"):
            raise _damaged()
        self._number += 1

    def _file(self, width: int, height: int) -> BinaryIO:
        header = struct.pack(">II", width, height) + self._header[8:]
        size = sum(end - start for start, end in self._data)
        data: list[Part] = [struct.pack(">I4s", size, b"IDAT"), *self._data, struct.pack(">I", self._checksum())]
        start, end = SIGNATURE + _chunk(b"IHDR", header), _chunk(b"IEND", b"")
        return excerpt(self._stream, [start, *self._looks.values(), *data, end])

    def _checksum(self) -> int:
        """Of the data in one chunk; they are not held."""
        checksum = zlib.crc32(b"IDAT")
        for start, end in self._data:
            self._stream.seek(start)
            while start < end:
                piece = self._stream.read(min(_STEP, end - start))
                if not piece:
                    raise InputError("the picture is truncated", "get the file again")
                checksum = zlib.crc32(piece, checksum)
                start += len(piece)
        return checksum


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", zlib.crc32(name + content))


def _damaged() -> InputError:
    return InputError("a frame of the animation is damaged", "get the file again")
