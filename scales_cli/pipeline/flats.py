"""Flat parts stay flat: where a picture hardly changes, there is nothing for a network to add.

A network of bits answers even a flat picture with a pattern, of up to 0.2 % of the full range, and of 2 % at the
picture's edges, beyond which it sees black. Of 8 bits the former is rounded away, of 16 it is not. So the residual
is weighted by how far the 5 x 5 pixels around a pixel differ, those that bicubic interpolation reads: by 0 where they
are equal, by 1 from one step of 8 bits on. This reads the picture only, so that it depends on no tiles or threads, and
costs less than mirrored margins, which would be as wide as the network sees.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine.base import Planes
from scales_cli.imaging.picture import Pixels
from scales_cli.pipeline.planes import REACH, Read
from scales_cli.system.threads import ThreadPool

_JOB_PIXELS = 2**14


def settle(residual: Planes, read: Read, size: tuple[int, int], first: int, scale: int, threads: ThreadPool) -> Planes:
    """The residual [C, scale * rows, scale * W] of rows from `first` on of a picture (height, width), weighted."""
    residual = np.ascontiguousarray(residual)
    channels, rows = residual.shape[0], residual.shape[1] // scale
    height, width = size
    step = max(1, _JOB_PIXELS // width)

    def part(top: int) -> None:
        bottom = min(top + step, rows)
        above, below = max(first + top - REACH, 0), min(first + bottom + REACH, height)
        pixels = read(above, below, 0, width)
        outside = (above - (first + top - REACH), first + bottom + REACH - below)
        spans = _spans(np.pad(pixels, (outside, (REACH, REACH), (0, 0)), mode="edge"))
        step_of_8_bits = 257 if pixels.dtype == np.uint16 else 1
        if (spans < step_of_8_bits).any():
            weights = np.minimum(spans, step_of_8_bits).astype(np.float32) / np.float32(step_of_8_bits)
            band = residual[:, scale * top : scale * bottom].reshape(channels, bottom - top, scale, scale * width)
            band *= weights.repeat(scale, axis=1)[:, None]

    threads.run(partial(part, top) for top in range(0, rows, step))
    return residual


def _spans(pixels: Pixels) -> NDArray[Any]:
    """The largest difference in any channel within REACH of each pixel, of pixels with margins that wide."""
    lowest = highest = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    for axis in (1, 2):
        lowest, highest = _extreme(np.minimum, lowest, axis), _extreme(np.maximum, highest, axis)
    return np.asarray(np.maximum.reduce(highest - lowest))


def _extreme(choose: np.ufunc, values: NDArray[Any], axis: int) -> NDArray[Any]:
    """The extreme of five neighbours along an axis."""
    values = values.swapaxes(0, axis)
    two = choose(values[:-1], values[1:])
    five = choose(choose(two[:-3], two[2:-1]), values[4:])
    return np.asarray(five.swapaxes(0, axis))
