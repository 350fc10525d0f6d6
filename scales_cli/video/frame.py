"""Frames of video and what their samples mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scales_cli.errors import InputError

USUAL_RATE = Fraction(25)  # of frames a second, where nothing states one
EVEN = Fraction(1, 4)  # of a frame's time, by which it may be off: in .mkv times are rounded to milliseconds

Plane = NDArray[Any]  # [H, W], uint8, or uint16 for samples of more than 8 bits


@dataclass(frozen=True)
class PixelFormat:
    """What the samples of planes mean.

    `subsampling` is how many luma samples share one of chroma, in width and height; None is grey. `left` and `top` say
    whether chroma lies on the first of these luma samples, not between them, along the width and the height.
    """

    subsampling: tuple[int, int] | None = (2, 2)
    depth: int = 8  # bits of a sample
    full_range: bool = False  # black is 0 and white the largest code, not 16 and 235 (of 8 bits)
    left: bool = False
    top: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.depth <= 8 else np.uint16)

    @property
    def white(self) -> int:
        """The largest code."""
        return (1 << self.depth) - 1

    @property
    def black_level(self) -> int:
        """The luma code of black."""
        return 0 if self.full_range else 16 << (self.depth - 8)

    @property
    def luma_span(self) -> int:
        """Luma codes from black to white."""
        return self.white if self.full_range else 219 << (self.depth - 8)

    @property
    def chroma_span(self) -> int:
        return self.white if self.full_range else 224 << (self.depth - 8)

    @property
    def neutral(self) -> int:
        """The chroma code of grey."""
        return 1 << (self.depth - 1)

    def shapes(self, width: int, height: int) -> list[tuple[int, int]]:
        """The shapes [H, W] of a frame's planes, chroma rounded up."""
        luma = (height, width)
        if self.subsampling is None:
            return [luma]
        across, down = self.subsampling
        return [luma, *[(-(-height // down), -(-width // across))] * 2]

    def frame_bytes(self, width: int, height: int) -> int:
        return self.dtype.itemsize * sum(rows * columns for rows, columns in self.shapes(width, height))


@dataclass(frozen=True)
class VideoFormat:
    """What all frames of a video have in common.

    `rate` is in frames a second, `aspect` that of a pixel; it is shown turned by so many degrees, counterclockwise.
    """

    width: int
    height: int
    pixels: PixelFormat
    rate: Fraction | None = None
    aspect: Fraction | None = None
    rotation: int = 0

    def turned(self, size: tuple[int, int]) -> tuple[int, int]:
        """The width and height of frames as they are shown, or of what is shown as frames have them."""
        return (size[1], size[0]) if self.rotation % 180 == 90 else size


@dataclass(frozen=True)
class Frame:
    """Luma, and blue and red difference if there is chroma; `pts` is its time in units of its stream."""

    planes: tuple[Plane, ...]
    pts: int | None = None
    duration: int | None = None


class Reader(Protocol):
    """Where frames come from. `notes` grow as things are met that cannot be kept."""

    format: VideoFormat
    notes: list[str]

    @property
    def count(self) -> int | None:
        """How many frames there are, if that is known before they are read."""
        ...

    def frames(self) -> Iterator[Frame]: ...

    def leave_others(self) -> None:
        """Nobody needs the streams beside the video."""
        ...


class Writer(Protocol):
    """Where frames go to, of this `size`; complete once it is closed."""

    size: tuple[int, int]

    def write(self, frame: Frame) -> None: ...

    def close(self) -> None: ...


def interlaced(order: str) -> InputError:
    """What is wrong with a video of half frames: enlarged, their combs would stay for ever."""
    return InputError(f"it is interlaced ({order})", "deinterlace it first: ffmpeg -i in -vf bwdif -c:v ffv1 out.mkv")
