"""Transparency: colours are interpolated premultiplied, so that the colours of invisible pixels never show.

With p = colour * alpha, B the bicubic enlargement and r the network's residual on the visible colours,

    colour' = B(p) / B(alpha) + r,   alpha' = B(alpha)

The network must not see an edge where only alpha has one: it would sharpen colours that are flat. Invisible pixels
therefore get the colours of the nearest visible ones before the network runs (push-pull: means of ever larger blocks).

Everything is made for some rows at a time: intermediate values take many times the memory of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine.composition import Addition
from scales_cli.imaging.encoding import to_8_bit

# The enlargement of planes [H, W, C], of which only the output rows [y0, y1) are made
Bicubic = Callable[[NDArray[np.uint16], tuple[int, int]], NDArray[np.uint16]]

# Bicubic values overshoot by up to 9/32 of the range on either side (sum of the absolute weights (5/4)^2), and the
# integer kernel clips: samples are squeezed into the middle 16/25 of the range for it.
_SQUEEZE = 16 / 25
_OFFSET = 65535 * (1 - _SQUEEZE) / 2

_BAND_PIXELS = 2**18
WORK_BYTES = 76 * _BAND_PIXELS  # of the intermediate values of a band


class VisibleColors:
    """The colours [H, W, C] of a picture whose pixels of (almost) no alpha [H, W, 1] are filled from around them."""

    def __init__(self, color: NDArray[Any], alpha: NDArray[Any]) -> None:
        self._color, self._alpha = color, alpha
        height, width, channels = color.shape
        coarse = np.empty(((height + 1) // 2, (width + 1) // 2, channels + 1), np.float32)
        for band in _bands(height, width, multiple=2):
            weight = _visible(alpha[band]).astype(np.float32)
            weighted = np.concatenate([color[band] * weight, weight], axis=2)
            coarse[band.start // 2 : (band.stop + 1) // 2] = _halve(weighted)
        self._coarse = _fill(coarse)

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
        """Rows [top, bottom) and columns [left, right)."""
        color, alpha = self._color[top:bottom, left:right], self._alpha[top:bottom, left:right]
        coarse = self._coarse[top // 2 : (bottom + 1) // 2, left // 2 : (right + 1) // 2]
        filled = _double(coarse)[top % 2 :, left % 2 :][: bottom - top, : right - left]
        return np.asarray(np.where(_visible(alpha), color, np.rint(filled).astype(color.dtype)))


def visible_colors_bytes(height: int, width: int, channels: int) -> int:
    """What `VisibleColors` takes at most, of so many channels with alpha."""
    coarse = -(-height // 2) * -(-width // 2)
    return 4 * coarse * (4 * channels + 2) * 4 // 3 + WORK_BYTES


def enlarge(
    color: NDArray[Any],
    alpha: NDArray[Any],
    added: Addition,
    scale: int,
    bicubic: Bicubic,
) -> NDArray[Any]:
    """The output rows of what is added, [rows, sW, C + 1], of colour [H, W, C] and alpha [H, W, 1]."""
    top = added.first_row
    rows, width = added.residual.shape[1:]
    pixels = np.empty((rows, width, color.shape[2] + 1), color.dtype)
    for band in _bands(rows, width):
        begin, end = top + band.start, top + band.stop
        # Two LR rows more on either side, which is as far as the bicubic kernel reaches.
        first, last = max(begin // scale - 2, 0), (end - 1) // scale + 3
        planes = _premultiply(color[first:last], alpha[first:last])
        large = bicubic(planes, (begin - scale * first, end - scale * first))
        pixels[band] = _merge(large, added.spread((begin, end), scale, len(color)), color.dtype)
    return pixels


def _bands(height: int, width: int, multiple: int = 1) -> Iterator[slice]:
    rows = max(1, _BAND_PIXELS // (width * multiple)) * multiple
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def _visible(alpha: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(alpha > np.iinfo(alpha.dtype).max // 32)


def _premultiply(color: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.uint16]:
    """Squeezed planes [H, W, C + 1] of colour * alpha and alpha."""
    unit = 65535 // np.iinfo(color.dtype).max
    color, alpha = color.astype(np.float64) * unit, alpha.astype(np.float64) * unit
    planes = np.concatenate([color * (alpha / 65535), alpha], axis=2)
    return np.rint(planes * _SQUEEZE + _OFFSET).astype(np.uint16)


def _merge(planes: NDArray[np.uint16], residual: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Enlarged squeezed planes, not premultiplied, plus the residual [H, W, 1 or C]; invisible pixels become black."""
    large: NDArray[np.float32] = ((planes - _OFFSET) / _SQUEEZE).astype(np.float32)
    alpha = large[..., -1:]
    color: NDArray[Any] = large[..., :-1] / np.maximum(alpha, 1) * np.float32(65535)
    sharpened = color + residual * 65535
    pixels: NDArray[Any] = np.rint(np.clip(np.concatenate([sharpened, alpha], axis=2), 0, 65535)).astype(np.uint16)
    if dtype == np.uint8:
        pixels = to_8_bit(pixels)
    pixels[pixels[..., -1] == 0] = 0
    return pixels


def _fill(weighted: NDArray[np.float32]) -> NDArray[np.float32]:
    """[H, W, C + 1], colours times weights and weights -> means of the smallest block around each that has a weight."""
    weight = weighted[..., -1:]
    mean: NDArray[Any] = np.zeros_like(weighted[..., :-1])
    np.divide(weighted[..., :-1], weight, out=mean, where=weight > 0)
    if max(weight.shape[:2]) == 1 or weight.all():
        return mean
    height, width = weight.shape[:2]
    coarse = _double(_fill(_halve(weighted)))[:height, :width]
    np.copyto(mean, coarse, where=weight == 0)
    return mean


def _halve(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 blocks; odd sizes are padded with zero weight."""
    height, width = planes.shape[:2]
    padded = np.pad(planes, ((0, height % 2), (0, width % 2), (0, 0)))
    return (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) * np.float32(0.25)


def _double(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    return planes.repeat(2, axis=0).repeat(2, axis=1)
