"""How degraded a picture is, found out by itself: from what its file says, and from its pixels.

One number comes of it, the strength that networks for degraded pictures are told (`training.degradation`). To call a
clean picture degraded costs most, so whatever could be fine texture counts as clean.
"""

from __future__ import annotations

from dataclasses import dataclass

from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Details, Pixels
from scales_cli.imaging.wear.grid import estimate_grid
from scales_cli.imaging.wear.noise import estimate_noise
from scales_cli.imaging.wear.windows import windows_of

JPEG_SPAN = 75.0  # from quality 100 to the strongest, 25
NOISE_SPAN = 10.0  # grey levels of luma in the strongest noise
WEBP_SHARE = 0.5  # a WebP picture is harmed half as much as a JPEG one of the same quality
LEAST = 0.02  # strength of what is not quite clean
USUAL_QUALITY = 75.0  # of lossy files that do not say theirs
LEAVES_NOISE = 75.0  # quality of the coarsest coding after which what looks like noise is not the coding's own
RECODED = 5.0  # by how much a trace of an earlier coding has to be below the quality of the file


@dataclass(frozen=True)
class Wear:
    """Losses of a picture.

    jpeg: the quality of a JPEG coding that harms as much as the coding that is known or seen, 0..100; 100 for none.
    noise: standard deviation of luma noise in grey levels of 255; 0 if there is none or none is seen.
    """

    jpeg: float = 100.0
    noise: float = 0.0

    @property
    def strength(self) -> float:
        """0 for a clean picture, otherwise `LEAST` to 1: the worse of the two, as training has it."""
        worse = max((100.0 - self.jpeg) / JPEG_SPAN, self.noise / NOISE_SPAN)
        return min(max(worse, LEAST), 1.0) if worse > 0 else 0.0


def estimate_wear(pixels: Pixels, details: Details) -> Wear:
    """The wear of decoded pixels [H, W, C], uint8 or uint16, of a file of these details.

    It depends on nothing else: the arithmetic is exact or of a fixed order, and looks at a bounded number of pixels.
    """
    windows = windows_of(pixels)
    stated, seen = _stated(details), estimate_grid(windows)
    jpeg = seen if seen < stated - RECODED or stated == 100 else stated
    return Wear(jpeg, estimate_noise(windows) if jpeg >= LEAVES_NOISE else 0.0)


def _stated(details: Details) -> float:
    """The JPEG quality that harms as much as what the file says of its coding."""
    lossy = not details.lossless or details.format is ImageFormat.AVIF
    quality = details.coded_quality
    if quality is None:
        quality = USUAL_QUALITY if lossy else 100.0
    return quality if details.format is ImageFormat.JPEG else 100.0 - WEBP_SHARE * (100.0 - quality)
