"""The parts of a picture that are looked at: the same for every machine and setting, bounded for every size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.picture import Pixels

WINDOW = 64  # pixels of a window's side
MOST = 192  # windows
LEVELS = 16  # steps of a grey level, in which luma is held
# Full-range BT.601, as in JPEG, in parts of 2**14.
_RED, _GREEN, _BLUE = 4899, 9617, 1868


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows [N, h, w] of a picture: luma in `LEVELS` steps a grey level, colours, and where they tell little.

    `colors` are planes [3, N, h, w] from 0 to 255, None for grey pictures. `blind` marks pixels of which some channel
    is as small or as large as it can be, so that noise and ringing are cut off, `lost` those of which all are, and
    invisible ones.
    """

    luma: NDArray[np.int16]
    blind: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    colors: NDArray[Any] | None


def windows_of(pixels: Pixels) -> Windows:
    """Windows of a picture [H, W, C], uint8 or uint16: all of it, if it is small, in one."""
    height, width, channels = pixels.shape
    if height * width <= MOST * WINDOW**2:
        stack = pixels[None]
    else:
        tall = min(16, max(1, height // WINDOW))
        wide = min(MOST // tall, max(1, width // WINDOW))
        tall = min(MOST // wide, max(1, height // WINDOW))
        rows, columns = _begins(height, tall), _begins(width, wide)
        stack = np.stack([pixels[y : y + WINDOW, x : x + WINDOW] for y in rows for x in columns])
    full = int(np.iinfo(pixels.dtype).max)
    planes = np.ascontiguousarray(np.moveaxis(stack, 3, 0))
    shown = planes[: 3 if channels >= 3 else 1]
    cut = (shown == 0) | (shown == full)
    blind, lost = cut.any(axis=0), cut.all(axis=0)
    if channels in (2, 4):
        invisible = planes[-1] == 0
        blind |= invisible
        lost |= invisible
    if channels < 3:
        return Windows(_in_steps(shown[0] * np.int32(LEVELS), full), blind, lost, None)
    luma = shown[0] * np.int32(_RED)
    luma += shown[1] * np.int32(_GREEN)
    luma += shown[2] * np.int32(_BLUE)
    luma += 2**9
    luma >>= 10
    return Windows(_in_steps(luma, full), blind, lost, shown if full == 255 else _in_steps(shown, full))


def _begins(side: int, count: int) -> list[int]:
    """Of `count` windows, spread evenly; multiples of 8, so that a grid lies in all of them alike."""
    span = max(side - WINDOW, 0)
    return [span * index // max(count - 1, 1) // 8 * 8 for index in range(count)]


def _in_steps(values: NDArray[Any], full: int) -> NDArray[np.int16]:
    """16 bits are brought to the range of 8."""
    if full > 255:
        values = (values.astype(np.int32) + 128) // 257
    return values.astype(np.int16)
