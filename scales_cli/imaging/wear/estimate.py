"""How degraded a picture is, found out by itself: from what its file says, and from its pixels.

One number comes of it, the strength that networks for degraded pictures are told: of JPEG what training told them
(`training.degradation`), of noise half as much, which serves them best. To call a clean picture degraded costs most, so
whatever could be fine texture counts as clean.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Details, Layout, Pixels
from scales_cli.imaging.wear.grid import estimate_grid
from scales_cli.imaging.wear.noise import estimate_noise
from scales_cli.imaging.wear.windows import MOST, WINDOW, windows_of

JPEG_SPAN = 75.0  # from quality 100 to the strongest, 25
NOISE_SPAN = 10.0  # grey levels of luma in the strongest noise
NOISE_ALONE = 0.5  # of the strength of noise, if it did not go through JPEG, as most did in training
WEBP_SHARE = 1 / 3  # harm to a WebP picture over that to a JPEG one of the same quality, measured
LEAST = 0.02  # strength of what is not quite clean
USUAL_QUALITY = 75.0  # of JPEG files that do not say theirs
USUAL_MODERN = 87.5  # JPEG quality that harms as much as is usual of AVIF, HEIC and JPEG XL
LEAVES_NOISE = 75.0  # quality of the coarsest coding after which what looks like noise is not the coding's own
_GRID_BYTES = 5 * 2**20
RECODED = 5.0  # by how much a trace of an earlier coding has to be below the quality of the file


class Origin(StrEnum):
    """How it is known which quality of JPEG harms as much as what the picture went through."""

    TABLES = "by its tables"
    WEBP = "would harm as much as its WebP"
    FORMAT = "would harm as much as is usual in its format"
    GRID = "by its pixels"
    NOTHING = "of none"


@dataclass(frozen=True)
class Wear:
    """Losses of a picture.

    jpeg: the quality of a JPEG coding that harms as much as the coding that is known or seen, 0..100; 100 for none.
    noise: standard deviation of luma noise in grey levels of 255; 0 if there is none or none is seen.
    origin: how `jpeg` is known.
    """

    jpeg: float = 100.0
    noise: float = 0.0
    origin: Origin = Origin.NOTHING

    @property
    def strength(self) -> float:
        """0 for a clean picture, otherwise `LEAST` to 1: the worse of the two."""
        worse = max(self._loss, self._grain)
        return min(max(worse, LEAST), 1.0) if worse > 0 else 0.0

    @property
    def reason(self) -> str:
        """What the strength follows from, in words."""
        if self._grain > self._loss:
            return f"noise of {self.noise:.1f} grey levels"
        return f"JPEG quality {self.jpeg:.0f} {self.origin}" if self._loss else "no noise, no loss"

    def to_dict(self) -> dict[str, Any]:
        return {
            "strength": round(self.strength, 4),
            "jpeg": self.jpeg,
            "noise": self.noise,
            "origin": self.origin.name.lower(),
        }

    @property
    def _loss(self) -> float:
        return (100.0 - self.jpeg) / JPEG_SPAN

    @property
    def _grain(self) -> float:
        return NOISE_ALONE * self.noise / NOISE_SPAN


def estimate_wear(pixels: Pixels, details: Details) -> Wear:
    """The wear of decoded pixels [H, W, C], uint8 or uint16, of a file of these details.

    It depends on nothing else: the arithmetic is exact or of a fixed order, and looks at a bounded number of pixels.
    """
    windows = windows_of(pixels)
    (jpeg, origin), seen = _stated(details), estimate_grid(windows)
    if seen < jpeg - RECODED or (jpeg == 100 and seen < 100):
        jpeg, origin = seen, Origin.GRID
    return Wear(jpeg, estimate_noise(windows) if jpeg >= LEAVES_NOISE else 0.0, origin)


def _stated(details: Details) -> tuple[float, Origin]:
    """The JPEG quality that harms as much as what the file says of its coding."""
    quality = details.coded_quality
    if details.format is ImageFormat.JPEG:
        return (USUAL_QUALITY, Origin.FORMAT) if quality is None else (quality, Origin.TABLES)
    if quality is not None:
        return 100.0 - WEBP_SHARE * (100.0 - quality), Origin.WEBP
    if details.lossless and details.format is not ImageFormat.AVIF:
        return 100.0, Origin.NOTHING
    return USUAL_MODERN, Origin.FORMAT


def wear_bytes(layout: Layout) -> int:
    """What `estimate_wear` takes at most beside the picture."""
    pixels = min(layout.height * layout.width, MOST * WINDOW**2)
    return _GRID_BYTES + pixels * (14 + layout.channels * (2 if layout.dtype == np.uint8 else 10))
