"""The quality of a JPEG file, from the quantization table in its header.

A coder divides each of the 64 frequencies of a block by a number and rounds. Most take the table of ITU-T T.81, annex
K, times a factor that a quality of 1 to 100 stands for (IJG); others have tables of their own, for which this tells the
quality whose numbers are as large on average, each in proportion to the standard's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Table K.1, of luma, rows of rising vertical frequency.
STANDARD = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_WEIGHTS = tuple(2**20 // number for number in STANDARD)


def read_jpeg_quality(image: Image.Image) -> float | None:
    """The quality of an image that Pillow opened, loaded or not; None if it is no JPEG or says nothing."""
    tables: dict[int, Sequence[int]] = getattr(image, "quantization", None) or {}
    components: list[tuple[int, int, int, int]] = getattr(image, "layer", None) or []
    chosen = components[0][3] if components else min(tables, default=0)  # the first is luma, or all there is
    return quality_of(tables[chosen]) if len(tables.get(chosen, ())) == len(STANDARD) else None


def quality_of(table: Sequence[int]) -> float:
    """0..100 for a luma table of 64 numbers, as `STANDARD` orders them; q for the standard's table of quality q."""
    coarseness = _coarseness(tuple(table))
    known = _standard_coarseness()
    if coarseness >= known[-1]:  # numbers beyond 255, of quality 1 and below
        return round(known[-1] / coarseness, 2)
    above = bisect_left(known, coarseness)
    if above == 0:
        return 100.0
    share = (coarseness - known[above - 1]) / (known[above] - known[above - 1])
    return round(100 - (above - 1 + share), 2)


@cache
def standard_tables() -> NDArray[Any]:
    """The standard's luma tables of the qualities 100, 99, ... 1, [100, 64]."""
    qualities = np.arange(100, 0, -1)
    percent = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    return np.asarray(np.clip((np.outer(percent, STANDARD) + 50) // 100, 1, 255))


@cache
def _standard_coarseness() -> list[int]:
    return [_coarseness(tuple(table)) for table in standard_tables().tolist()]


@lru_cache(1000)  # many pictures are from one camera
def _coarseness(table: tuple[int, ...]) -> int:
    """Grows with every number; forged zeros count as ones, as no coder divides by them."""
    return sum(weight * max(1, int(number)) for weight, number in zip(_WEIGHTS, table, strict=True))
