"""A decoded picture, what has to outlive the upscaling of its pixels, and the description of one without them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.errors import InputError
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.texts import Text

Pixels = NDArray[Any]  # uint8 or uint16

MAX_SIDE = 2**20
KINDS = {1: "grey", 2: "grey+alpha", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Details:
    """What a file says beside its pixels.

    `format`, `lossless` and `coded_quality` are the input's, the last 0..100, None if it is not said. `color_chunks`
    are what PNG says of colors beside a profile, by name. `exif` (a block with its prefix), `xmp`, `iptc` (records) and
    `texts` hold what is to be kept, `notes` what a user should know about conversions that were made.
    """

    format: ImageFormat = ImageFormat.PNG
    lossless: bool = True
    coded_quality: float | None = None
    icc_profile: bytes | None = None
    color_chunks: tuple[tuple[bytes, bytes], ...] = ()
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    texts: tuple[Text, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout(Details):
    """A picture without its pixels: rows of [W, C], uint8 or uint16; `KINDS` names the channels.

    `quality` and `background` are of the file to be written (see `OutputOptions`).
    """

    width: int
    height: int
    channels: int
    dtype: np.dtype[Any]
    quality: int | None = None
    background: tuple[int, int, int] | None = None

    @property
    def kind(self) -> str:
        return KINDS[self.channels]

    @property
    def has_alpha(self) -> bool:
        return self.channels in (2, 4)

    @property
    def row_bytes(self) -> int:
        return self.width * self.channels * self.dtype.itemsize

    def enlarged(self, scale: int) -> Layout:
        """The layout of the picture `scale` times the size."""
        return self.resized(self.width * scale, self.height * scale)

    def resized(self, width: int, height: int) -> Layout:
        return dataclasses.replace(self, width=width, height=height)


@dataclass(frozen=True, eq=False, slots=True)
class Picture(Details):
    """Pixels [H, W, C], upright, uint8 or uint16. Alpha is not premultiplied."""

    pixels: Pixels

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def kind(self) -> str:
        return KINDS[self.pixels.shape[2]]

    @property
    def layout(self) -> Layout:
        details = {field.name: getattr(self, field.name) for field in dataclasses.fields(Details)}
        return Layout(self.width, self.height, self.pixels.shape[2], self.pixels.dtype, **details)


def check_sides(width: int, height: int) -> None:
    """Raises `InputError` for a picture that is longer than the native code counts."""
    if max(width, height) > MAX_SIDE:
        raise InputError(f"{width} x {height} pixels: a side has more than {MAX_SIDE}", "cut the picture first")
