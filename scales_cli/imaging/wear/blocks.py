"""Blocks of 8 x 8 pixels in windows, of two by two cells, so that they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

CELL = 4  # pixels
BLOCK = 2 * CELL


def block_sums(values: NDArray[Any], cell: int = CELL) -> Integers:
    """Sums over blocks of two by two cells, [n, rows, columns], without those that touch the border."""
    height, width = (side // cell for side in values.shape[1:])
    values = values[:, : height * cell, : width * cell]
    tall = values.reshape(len(values), height, cell, -1).sum(axis=2, dtype=np.int32)
    cells = tall[:, :, ::cell].copy()
    for offset in range(1, cell):  # faster than a sum along so short an axis
        cells += tall[:, :, offset::cell]
    cells = cells[:, 1:-1, 1:-1]
    pairs = cells[:, :-1] + cells[:, 1:]
    return np.asarray(pairs[:, :, :-1] + pairs[:, :, 1:])


def block_pixels(blocks: Integers, shape: tuple[int, ...], margin: int = 0) -> tuple[Integers, Integers, Integers]:
    """Where the pixels of blocks lie in windows, and so many around them; `blocks` count through sums of this shape."""
    window, row, column = np.unravel_index(blocks, shape)
    reach = np.arange(-margin, BLOCK + margin)
    rows = (row[:, None] + 1) * CELL + reach
    columns = (column[:, None] + 1) * CELL + reach
    return window[:, None, None], rows[:, :, None], columns[:, None, :]
