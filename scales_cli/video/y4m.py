"""Y4M (YUV4MPEG2): a line of text, then frames of raw planes, each after a line of its own.

The format is that of mjpegtools, with the color spaces and the range that ffmpeg adds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from scales_cli.errors import InputError
from scales_cli.video.frame import Frame, PixelFormat, VideoFormat, interlaced

MAGIC = b"YUV4MPEG2"
_LONGEST_LINE = 1024  # of bytes; real headers have some 80

_SUBSAMPLINGS = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "mono": None}
_COLOR_SPACE = re.compile(r"(420|422|444|411|mono)(jpeg|paldv|mpeg2)?(?:p?(9|10|12|14|16))?")
_INTERLACED = {"t": "top field first", "b": "bottom field first", "m": "mixed"}


class Y4MReader:
    """The frames of a stream. Raises `InputError` if it is none of Y4M, or of a kind that is not read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        line = _read_line(stream)
        magic, *fields = line.split(b" ")
        if magic != MAGIC:
            raise InputError("is no Y4M stream", "make one with: ffmpeg -i in.mkv -f yuv4mpegpipe -strict -1 -")
        try:
            texts = [field.decode("ascii") for field in fields if field]
        except UnicodeDecodeError as error:
            raise InputError("the header of the Y4M stream is damaged") from error
        self.format = _format_of(texts)
        self.notes: list[str] = []

    @property
    def count(self) -> int | None:
        """How many frames there are, if the stream is a file."""
        try:
            rest = os.fstat(self._stream.fileno()).st_size - self._stream.tell()
        except OSError:
            return None
        each = self.format.pixels.frame_bytes(self.format.width, self.format.height) + len(b"FRAME\n")
        return rest // each if rest > 0 else None

    def leave_others(self) -> None:
        """There are none."""

    def frames(self) -> Iterator[Frame]:
        """Raises `InputError` if the stream ends within a frame, or goes on otherwise than with one."""
        stream, video = self._stream, self.format
        index = 0
        while line := stream.read(6):
            if line[:5] != b"FRAME" or line[5:] not in (b" ", b"\n"):
                raise InputError(f"frame {index + 1} of the Y4M stream does not begin as one")
            if line[5:] == b" ":
                _read_line(stream)
            planes = []
            for shape in video.pixels.shapes(video.width, video.height):
                plane = np.empty(shape, video.pixels.dtype.newbyteorder("<"))
                if not _fill(stream, plane.view(np.uint8).data.cast("B")):
                    raise InputError(f"the Y4M stream ends within frame {index + 1}")
                planes.append(plane.astype(video.pixels.dtype, copy=False))
            yield Frame(tuple(planes), pts=index)
            index += 1


class Y4MWriter:
    """Writes a stream: its header at once, and then frame by frame."""

    def __init__(self, stream: BinaryIO, video: VideoFormat) -> None:
        self.size = video.width, video.height
        self._stream = stream
        stream.write(_header_of(video))

    def write(self, frame: Frame) -> None:
        self._stream.write(b"FRAME\n")
        for plane in frame.planes:
            self._stream.write(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).data)

    def close(self) -> None:
        self._stream.flush()


def _read_line(stream: BinaryIO) -> bytes:
    """Up to the next line feed, which is not included."""
    line = bytearray()
    while (byte := stream.read(1)) != b"\n":
        if not byte:
            raise InputError("is empty" if not line else "the Y4M stream ends within a header")
        line += byte
        if len(line) > _LONGEST_LINE:
            raise InputError(
                "is no Y4M stream" if not line.startswith(MAGIC) else f"a header has more than {_LONGEST_LINE} bytes"
            )
    return bytes(line)


def _fill(stream: BinaryIO, buffer: memoryview) -> bool:
    """Whether there was enough to fill it: streams may give less than they are asked for."""
    while buffer:
        count = stream.readinto(buffer)  # type: ignore[attr-defined]
        if not count:
            return False
        buffer = buffer[count:]
    return True


def _format_of(fields: list[str]) -> VideoFormat:
    values = {field[0]: field[1:] for field in fields if field[0] != "X"}
    extensions = {field[1:].upper() for field in fields if field[0] == "X"}
    if (order := values.get("I", "p")) in _INTERLACED:
        raise interlaced(_INTERLACED[order])
    width, height = _side(values, "W"), _side(values, "H")
    pixels = _pixel_format(values.get("C", "420jpeg"), "COLORRANGE=FULL" in extensions)
    return VideoFormat(width, height, pixels, _ratio(values.get("F")), _ratio(values.get("A")))


def _side(values: dict[str, str], name: str) -> int:
    text = values.get(name, "")
    if not re.fullmatch(r"[0-9]{1,6}", text) or not int(text):
        raise InputError("the header of the Y4M stream gives no size")
    return int(text)


def _ratio(text: str | None) -> Fraction | None:
    """A number of frames or a shape of pixels as 30000:1001; None if it is not known, which is 0:0."""
    match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", text or "0:0")
    if match is None:
        raise InputError(f"the header of the Y4M stream holds {text!r}, which is no ratio")
    above, below = int(match[1]), int(match[2])
    return Fraction(above, below) if above and below else None


def _pixel_format(text: str, full_range: bool) -> PixelFormat:
    match = _COLOR_SPACE.fullmatch(text)
    if match is None:
        raise InputError(f"its color space {text!r} is not read", "convert it with ffmpeg: -pix_fmt yuv420p")
    family, siting, depth = match[1], match[2], int(match[3] or 8)
    return PixelFormat(
        subsampling=_SUBSAMPLINGS[family],
        depth=depth,
        full_range=full_range,
        left=siting in ("mpeg2", "paldv") or family in ("422", "411") or (depth > 8 and siting is None),
        top=siting == "paldv",
    )


def _header_of(video: VideoFormat) -> bytes:
    pixels = video.pixels
    family = next(name for name, shared in _SUBSAMPLINGS.items() if shared == pixels.subsampling)
    space = family
    if pixels.depth > 8:
        space += str(pixels.depth) if family == "mono" else f"p{pixels.depth}"
    elif family == "420":
        space += "paldv" if pixels.top else "mpeg2" if pixels.left else "jpeg"
    rate, aspect = (value or Fraction(0) for value in (video.rate, video.aspect))
    fields = [
        f"W{video.width}",
        f"H{video.height}",
        f"F{rate.numerator}:{rate.denominator}" if rate else "F0:0",
        "Ip",
        f"A{aspect.numerator}:{aspect.denominator}" if aspect else "A0:0",
        f"C{space}",
        f"XCOLORRANGE={'FULL' if pixels.full_range else 'LIMITED'}",
    ]
    return b" ".join([MAGIC, *(field.encode("ascii") for field in fields)]) + b"\n"
