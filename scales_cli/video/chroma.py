"""Chroma planes of video: enlarged bicubically, and kept in place.

Chroma of 4:2:0 and 4:2:2 usually lies on every second luma sample. A plane that is enlarged about its centre would move
by up to 1.5 luma samples at x4; here each sample of the result is taken from where it lies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.video.frame import PixelFormat, Plane

_MARGIN = 3  # copies of the last row and column: the result's chroma, rounded up, may reach beyond the given one's


def enlarge_chroma(plane: Plane, ratio: tuple[float, float], shape: tuple[int, int], pixels: PixelFormat) -> Plane:
    """A plane of codes [h, w] -> [H, W], `ratio` (across, down) times as large in luma samples."""
    assert pixels.subsampling is not None
    offsets = [
        (0.5 - 0.5 / times) * (1 - 1 / shared) if first else 0.0
        for times, shared, first in zip(ratio, pixels.subsampling, (pixels.left, pixels.top), strict=True)
    ]
    if pixels.depth == 8:
        return np.asarray(_resampled(plane, ratio, shape, offsets))
    return rounded(_resampled(plane.astype(np.float32), ratio, shape, offsets), pixels)


def spread_to_luma(plane: NDArray[np.float32], shape: tuple[int, int], pixels: PixelFormat) -> NDArray[np.float32]:
    """A plane of chroma [h, w] -> one of a sample for each of luma [H, W]."""
    assert pixels.subsampling is not None
    ratio = (float(pixels.subsampling[0]), float(pixels.subsampling[1]))
    offsets = [
        0.5 - 0.5 / times if first else 0.0 for times, first in zip(ratio, (pixels.left, pixels.top), strict=True)
    ]
    return np.asarray(_resampled(plane, ratio, shape, offsets))


def gather_from_luma(plane: NDArray[np.float32], pixels: PixelFormat) -> NDArray[np.float32]:
    """A plane [H, W] of a sample for each of luma -> the means over the samples that share one of chroma [h, w]."""
    assert pixels.subsampling is not None
    across, down = pixels.subsampling
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % down), (0, -width % across)), mode="edge")
    means: NDArray[np.float32] = padded.reshape(-(-height // down), down, -(-width // across), across).mean(axis=(1, 3))
    return means


def rounded(plane: NDArray[np.float32], pixels: PixelFormat) -> Plane:
    """Codes of a plane of any numbers."""
    codes: Plane = np.clip(np.floor(plane + 0.5), 0, pixels.white).astype(pixels.dtype)
    return codes


def _resampled(
    plane: NDArray[Any], ratio: tuple[float, float], shape: tuple[int, int], offsets: list[float]
) -> NDArray[Any]:
    padded = np.pad(plane, ((0, _MARGIN), (0, _MARGIN)), mode="edge")
    across, down = offsets
    box = (across, down, across + shape[1] / ratio[0], down + shape[0] / ratio[1])
    image = Image.fromarray(padded).resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box)
    return np.asarray(image)
