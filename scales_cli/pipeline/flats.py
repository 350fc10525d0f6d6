"""Flat parts stay flat: where a picture hardly changes, there is nothing for a network to add.

A network of bits answers even a flat picture with a pattern, of up to 0.2 % of the full range, and of 2 % at the
picture's edges, beyond which it sees black. Of 8 bits the former is rounded away, of 16 it is not. So the residual
is weighted by how far the 5 x 5 pixels around a pixel differ, those that bicubic interpolation reads: by 0 where they
are equal, by 1 from one step of 8 bits on. Of 16 bits it is how far they are from a plane: bicubic interpolation gives
slow gradients exactly, and nothing is to be added to them either. This reads the picture only, so that it depends on no
tiles or threads, and costs less than mirrored margins, which would be as wide as the network sees.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.picture import Pixels
from scales_cli.pipeline.planes import REACH, Read
from scales_cli.system.threads import ThreadPool

_JOB_PIXELS, _JOB_COLUMNS = 2**14, 2**11
_JOB_BYTES = {1: 8, 2: 40}  # of a sample in a job or around it, by its own: what the differences take, measured

Margins = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # of channels, above and below, left and right


def flat_weights(
    read: Read, size: tuple[int, int], rows: tuple[int, int], threads: ThreadPool
) -> NDArray[np.float32] | None:
    """The weights [n, W] of some rows of a picture (height, width); None if all are 1."""
    height, width = size
    begin, end = rows
    columns = min(width, _JOB_COLUMNS)
    step = _JOB_PIXELS // columns
    weights = np.empty((end - begin, width), np.float32)
    lessened = []

    def part(corner: tuple[int, int]) -> None:
        top, left = corner
        bottom, right = min(top + step, end), min(left + columns, width)
        above, below = max(top - REACH, 0), min(bottom + REACH, height)
        before, after = max(left - REACH, 0), min(right + REACH, width)
        pixels = read(above, below, before, after)
        rows_beyond = (above - (top - REACH), bottom + REACH - below)
        margins = ((0, 0), rows_beyond, (before - (left - REACH), right + REACH - after))
        is_deep = pixels.dtype == np.uint16
        planes = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
        differences = _bends(planes, margins) if is_deep else _spans(planes, margins)
        step_of_8_bits = 257 if is_deep else 1
        here = weights[top - begin : bottom - begin, left:right]
        if (differences < step_of_8_bits).any():
            lessened.append(corner)
            np.divide(np.minimum(differences, step_of_8_bits), step_of_8_bits, out=here, dtype=np.float32)
        else:
            here.fill(1)

    threads.run(partial(part, corner) for corner in product(range(begin, end, step), range(0, width, columns)))
    return weights if lessened else None


def flats_bytes(height: int, width: int, channels: int, itemsize: int, threads: int) -> int:
    """What `flat_weights` takes at most beside the weights, of a picture of so many bytes a sample."""
    columns = min(width, _JOB_COLUMNS)
    rows = min(height, _JOB_PIXELS // columns)
    return min(threads, -(-height // rows) * -(-width // columns)) * (
        (rows + 2 * REACH) * (columns + 2 * REACH) * channels * _JOB_BYTES[itemsize]
    )


def _spans(planes: Pixels, margins: Margins) -> NDArray[Any]:
    """The largest difference in any channel within REACH of each pixel."""
    lowest = highest = np.pad(planes, margins, mode="edge")
    for axis in (1, 2):
        lowest, highest = _extreme(np.minimum, lowest, axis), _extreme(np.maximum, highest, axis)
    return np.asarray(np.maximum.reduce(highest - lowest))


def _bends(planes: Pixels, margins: Margins) -> NDArray[Any]:
    """The largest second difference in any channel within REACH of each pixel; beyond edges, gradients go on."""
    levels = np.pad(planes.astype(np.int32), margins, mode="reflect", reflect_type="odd")
    across, down = np.diff(levels, axis=2), np.diff(levels, axis=1)
    found = []
    for bends, (rows, columns) in (
        (np.diff(across, axis=2), (5, 3)),
        (np.diff(down, axis=1), (3, 5)),
        (np.diff(across, axis=1), (4, 4)),
    ):
        largest = np.maximum.reduce(np.abs(bends))
        found.append(_extreme(np.maximum, _extreme(np.maximum, largest, 0, rows), 1, columns))
    return np.asarray(np.maximum.reduce(found))


def _extreme(choose: np.ufunc, values: NDArray[Any], axis: int, size: int = 5) -> NDArray[Any]:
    """The extreme of so many neighbours along an axis, three to five."""
    values = values.swapaxes(0, axis)
    two = choose(values[:-1], values[1:])
    extreme = choose(two[: len(two) - size + 2], two[size - 2 :])
    return np.asarray((choose(extreme, two[1 : 1 + len(extreme)]) if size == 5 else extreme).swapaxes(0, axis))
