"""Noise of which a half is cut off: on white paper, or on black.

Where paper is as bright as can be, noise makes about half of the pixels darker and leaves the others white. Which ones
it leaves is chance, and what it takes away from the others is spread as one half of a Gaussian, everywhere alike. None
of it is so of the edges of letters and lines, of texture on white, or of dither.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.wear.blocks import BLOCK, Integers, block_pixels, block_sums
from scales_cli.imaging.wear.windows import LEVELS, Windows

FEWEST, MOST = 12, 512  # blocks that are looked at
LEAST, LARGEST = 2.0, 25.0  # grey levels

_WHITE = 255
_PIXELS = BLOCK**2
_FEWEST_CUT, _MOST_CUT = 6, 58  # pixels of a block that are cut off
_INK = 80  # grey levels from the end of the range: noise hardly reaches as far
_SHARE = 0.03  # of all blocks that are of this kind
_AMONG = 0.4  # of these, the share that is noise
_CHANCE = 0.6  # of the changes between cut pixels and others that chance makes: fewer if noise is correlated
_NARROW, _WIDE = 0.95, 1.75  # mean over deviation of what noise took away: 1.32 for one half of a Gaussian
_EVEN = 2.2  # times as strong as in the blocks where it is weakest is noise where it is strongest
_NARROWED = 0.83  # times the share that is cut off: by how much that narrows a Gaussian


def estimate_clipped_noise(windows: Windows) -> float:
    """Standard deviation of luma noise in grey levels of 255 before it was cut off, 0 if none is seen."""
    plane = windows.luma // LEVELS if windows.colors is None else windows.colors[1]
    if min(plane.shape[1:]) < 2 * BLOCK:
        return 0.0
    return round(max(_noise_beside(windows.luma, plane, end) for end in (_WHITE, 0)), 2)


def _noise_beside(luma: NDArray[Any], plane: NDArray[Any], end: int) -> float:
    """That of the pixels [N, h, w] of which a half is cut off at this end of the range."""
    cut = plane == end
    if np.count_nonzero(cut) < _SHARE * _FEWEST_CUT / _PIXELS * cut.size:
        return 0.0
    counts = block_sums(cut)
    ink = block_sums(plane < end - _INK if end else plane > _INK)
    blocks = np.flatnonzero((counts >= _FEWEST_CUT) & (counts <= _MOST_CUT) & (ink == 0))
    if len(blocks) < max(FEWEST, _SHARE * counts.size):
        return 0.0
    blocks = blocks[:: -(-len(blocks) // MOST)]
    where = block_pixels(blocks, counts.shape)
    deviations = _deviations(luma[where].astype(np.int64), np.abs(plane[where].astype(np.int64) - end))
    noisy = np.sort(deviations[deviations > 0])
    if len(noisy) < max(FEWEST, _AMONG * len(blocks)):
        return 0.0
    weakest, middle, strongest = (float(noisy[len(noisy) * tenths // 10]) for tenths in (1, 5, 9))
    return middle if strongest <= _EVEN * weakest and LEAST <= middle <= LARGEST else 0.0


def _deviations(luma: Integers, distance: Integers) -> NDArray[np.float64]:
    """Of blocks [n, 8, 8] with this distance from the end, in grey levels; 0 if something else than noise is in one."""
    cut = distance == 0
    count = cut.sum(axis=(1, 2))
    share = count / _PIXELS
    changes = (cut[:, 1:] != cut[:, :-1]).sum(axis=(1, 2)) + (cut[:, :, 1:] != cut[:, :, :-1]).sum(axis=(1, 2))
    chance = changes / (2 * BLOCK * (BLOCK - 1)) / (2 * share * (1 - share))
    left = _PIXELS - count
    total, squares = distance.sum(axis=(1, 2)), (distance * distance).sum(axis=(1, 2))
    shape = total / np.sqrt(np.maximum(left * squares - total * total, 1))
    noise = (chance > _CHANCE) & (shape > _NARROW) & (shape < _WIDE)
    total, squares = luma.sum(axis=(1, 2)), (luma * luma).sum(axis=(1, 2))
    deviation = np.sqrt(_PIXELS * squares - total * total) / (_PIXELS * LEVELS)
    return np.where(noise, deviation / (1 - _NARROWED * share), 0.0)
