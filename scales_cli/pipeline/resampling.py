"""Shrinking what a network has made to a size between two scales, row by row: Lanczos, by Pillow.

It works on strips of the result whose height is fixed, each from all source rows within the filter's reach, so that the
result does not depend on how many rows come at a time. Colour is weighted by alpha: what is hidden does not bleed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.imaging.picture import Layout, Pixels

_STRIP_ROWS = 16
_LOBES = 3  # of the Lanczos window on either side

Floats = NDArray[np.float32]


def resample_rows(rows: Iterable[Pixels], height: int, size: tuple[int, int]) -> Iterator[Pixels]:
    """Rows [n, W, C] of a picture of `height` -> those of its copy of `size` (width, height), some at a time."""
    pieces = iter(rows)
    held, first = next(pieces), 0  # `first` is the row that `held` begins with
    ratio = height / size[1]
    for top in range(0, size[1], _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, size[1])
        start, end = _reach(top, bottom, ratio, height)
        held, first = held[start - first :], start
        while first + len(held) < end:
            held = np.concatenate([held, next(pieces)])
        box = (0.0, top * ratio - start, float(held.shape[1]), min(bottom * ratio - start, float(end - start)))
        yield _resized(held[: end - start], (size[0], bottom - top), box)


def resampling_bytes(layout: Layout, size: tuple[int, int]) -> int:
    """What `resample_rows` holds beside a piece of rows of a picture of `layout`."""
    start, end = _reach(0, _STRIP_ROWS, layout.height / size[1], layout.height)
    reach = end - start + 2 * math.ceil(_LOBES * max(1.0, layout.height / size[1]))
    floats = 4 * (2 * reach * layout.width + 3 * _STRIP_ROWS * size[0] * layout.channels)
    return 2 * reach * layout.row_bytes + floats + (4 * reach * layout.width if layout.has_alpha else 0)


def _reach(top: int, bottom: int, ratio: float, height: int) -> tuple[int, int]:
    """The source rows that rows [top, bottom) of the result are made of, one more at each end."""
    support = _LOBES * max(1.0, ratio) + 1
    return max(0, math.floor(top * ratio - support)), min(height, math.ceil(bottom * ratio + support))


def _resized(rows: Pixels, size: tuple[int, int], box: tuple[float, float, float, float]) -> Pixels:
    channels, maximum = rows.shape[2], np.iinfo(rows.dtype).max
    result = np.empty((size[1], size[0], channels), np.float32)
    alpha = rows[..., -1].astype(np.float32) / maximum if channels in (2, 4) else None
    for channel in range(channels):
        plane = rows[..., channel].astype(np.float32)
        if alpha is not None and channel < channels - 1:
            plane *= alpha
        image = Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS, box)
        result[..., channel] = np.asarray(image)
    if alpha is not None:
        weight = result[..., -1:] / maximum
        np.divide(result[..., :-1], weight, out=result[..., :-1], where=weight > 0)
    return _rounded(result, rows.dtype)


def _rounded(values: Floats, dtype: np.dtype[Any]) -> Pixels:
    rounded: Pixels = np.clip(np.floor(values + 0.5), 0, np.iinfo(dtype).max).astype(dtype)
    return rounded
