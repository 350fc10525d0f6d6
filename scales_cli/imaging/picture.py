"""A decoded picture and what has to outlive the upscaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from scales_cli.imaging.formats import PNG, ImageFormat

Pixels = NDArray[Any]  # uint8 or uint16

KINDS = {1: "grey", 2: "grey+alpha", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels [H, W, C], upright, uint8 or uint16; `KINDS` names the channels. Alpha is not premultiplied.

    `exif` holds harmless tags only, `notes` what a user should know about conversions that were made.
    """

    pixels: Pixels
    format: ImageFormat = PNG
    lossless: bool = True
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    notes: tuple[str, ...] = ()

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
    def has_alpha(self) -> bool:
        return self.pixels.shape[2] in (2, 4)
