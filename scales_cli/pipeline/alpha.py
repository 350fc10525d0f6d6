"""Transparency: colours are interpolated premultiplied, so that the colours of invisible pixels never show.

With p = colour * alpha, B the bicubic enlargement and r the network's residual on the visible colours,

    colour' = B(p) / B(alpha) + r,   alpha' = B(alpha)

The network must not see an edge where only alpha has one: it would sharpen colours that are flat. Invisible pixels
therefore get the colours of the nearest visible ones before the network runs (push-pull: means of ever larger blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.encoding import to_8_bit

# The enlargement of planes [H, W, C], of which only the output rows [y0, y1) are made
Bicubic = Callable[[NDArray[np.uint16], tuple[int, int]], NDArray[np.uint16]]

# Bicubic values overshoot by up to 9/32 of the range on either side (sum of the absolute weights (5/4)^2), and the
# integer kernel clips: samples are squeezed into the middle 16/25 of the range for it.
_SQUEEZE = 16 / 25
_OFFSET = 65535 * (1 - _SQUEEZE) / 2

_BAND_PIXELS = 2**18


def visible_colours(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """[H, W, C] with the pixels of (almost) no alpha [H, W, 1] filled from their surroundings."""
    visible = alpha > np.iinfo(alpha.dtype).max // 32
    weight = visible.astype(np.float32)
    filled = _fill(colour * weight, weight)
    return np.asarray(np.where(visible, colour, np.rint(filled).astype(colour.dtype)))


def enlarge(colour: NDArray[Any], alpha: NDArray[Any], residual: NDArray[np.float32], bicubic: Bicubic) -> NDArray[Any]:
    """[sH, sW, C + 1] from colour [H, W, C], alpha [H, W, 1] and residual [1 or C, sH, sW] (of a range of 1).

    Made in bands of rows: the intermediate values take many times the memory of the result.
    """
    planes = np.empty((*colour.shape[:2], colour.shape[2] + 1), np.uint16)
    for band in _bands(*colour.shape[:2]):
        planes[band] = _premultiply(colour[band], alpha[band])
    height, width = residual.shape[1:]
    pixels = np.empty((height, width, planes.shape[2]), colour.dtype)
    for band in _bands(height, width):
        pixels[band] = _merge(bicubic(planes, (band.start, band.stop)), residual[:, band], colour.dtype)
    return pixels


def _bands(height: int, width: int) -> Iterator[slice]:
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def _premultiply(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.uint16]:
    """Squeezed planes [H, W, C + 1] of colour * alpha and alpha."""
    unit = 65535 // np.iinfo(colour.dtype).max
    colour, alpha = colour.astype(np.float64) * unit, alpha.astype(np.float64) * unit
    planes = np.concatenate([colour * (alpha / 65535), alpha], axis=2)
    return np.rint(planes * _SQUEEZE + _OFFSET).astype(np.uint16)


def _merge(planes: NDArray[np.uint16], residual: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Enlarged squeezed planes plus the residual, not premultiplied, rounded; invisible pixels become black."""
    large: NDArray[np.float32] = ((planes - _OFFSET) / _SQUEEZE).astype(np.float32)
    alpha = large[..., -1:]
    colour: NDArray[Any] = large[..., :-1] / np.maximum(alpha, 1) * np.float32(65535)
    sharpened = colour + np.moveaxis(residual, 0, 2) * 65535
    pixels: NDArray[Any] = np.rint(np.clip(np.concatenate([sharpened, alpha], axis=2), 0, 65535)).astype(np.uint16)
    if dtype == np.uint8:
        pixels = to_8_bit(pixels)
    pixels[pixels[..., -1] == 0] = 0
    return pixels


def _fill(premultiplied: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted means of the smallest block around each pixel that has any weight."""
    mean: NDArray[Any] = premultiplied / np.maximum(weight, 1e-6)
    if max(weight.shape[:2]) == 1 or weight.all():
        return mean
    coarse = _fill(_halve(premultiplied), _halve(weight))
    height, width = weight.shape[:2]
    return np.where(weight > 0, mean, coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width])


def _halve(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 blocks; odd sizes are padded with zero weight."""
    height, width = planes.shape[:2]
    padded = np.pad(planes, ((0, height % 2), (0, width % 2), (0, 0)))
    return (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) * np.float32(0.25)
