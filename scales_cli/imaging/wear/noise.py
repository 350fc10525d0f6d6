"""Noise of a picture whose clean version nobody has.

Blocks of 8 x 8 pixels are judged by two measures, both after Immerkaer ("Fast Noise Variance Estimation", 1996): one of
the picture, one of the picture at half its size. White noise is as strong in both. The flattest blocks at half the size
are looked at in full: choosing there does not bias what is measured here. What is found is noise if it is stronger than
at half the size, as no texture is, or differs between the colours, as no texture does, and if it is neither lines nor
letters nor dither. Of noise that is cut off, as on white paper, `clipped` sees more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.wear.blocks import BLOCK, CELL, Integers, block_pixels, block_sums
from scales_cli.imaging.wear.clipped import estimate_clipped_noise
from scales_cli.imaging.wear.windows import LEVELS, Windows

FLATTEST = 0.03  # share of the blocks that are looked at
FEWEST, MOST = 12, 512  # of these blocks
LEAST = 2.0  # grey levels: less is not told from fine texture

_BLIND = BLOCK**2 // 16  # pixels of a block that may be blind
_LOST = BLOCK**2 * 3 // 4  # and lost, if there are few better blocks
_TEXTURE = 0.3  # share of a picture's usual texture that is in its flattest blocks
_LEFT = 0.6  # of a deviation whose one half is cut off
_TO_DEVIATION = math.sqrt(math.pi / 2)  # from a mean absolute deviation, if it is Gaussian
_OF_MASK = 6.0  # what Immerkaer's mask makes of a deviation of 1


def estimate_noise(windows: Windows) -> float:
    """Standard deviation of luma noise in grey levels of 255, 0 if there is none or none is seen."""
    if min(windows.luma.shape[1:]) < 2 * BLOCK:
        return 0.0
    half = windows.luma[:, : windows.luma.shape[1] // 2 * 2, : windows.luma.shape[2] // 2 * 2]
    half = half[:, ::2] + half[:, 1::2]
    half = (half[:, :, ::2] + half[:, :, 1::2]).astype(np.int32)  # whose mask 16 bits would not hold
    fine = block_sums(_magnitudes(windows.luma))
    # Sums of four pixels are halved: white noise is as strong in them as in the pixels.
    coarse = block_sums(_magnitudes(half // 2), CELL // 2)
    seen = np.flatnonzero(block_sums(windows.blind) <= _BLIND)
    found = _noise_of(windows, fine, coarse, seen, LEAST), estimate_clipped_noise(windows)
    noise = min(found) or max(found)  # either measures texture, too, if it sees no block without
    if noise == 0 and 2 * len(seen) < fine.size:  # dark or bright all over
        seen = np.flatnonzero(block_sums(windows.lost) <= _LOST)
        noise = _noise_of(windows, fine, coarse, seen, LEAST * _LEFT)
    return round(noise, 2)


def _noise_of(windows: Windows, fine: Integers, coarse: Integers, seen: Integers, least: float) -> float:
    """The noise in the flattest of the blocks `seen`, without what is texture in them; 0 if it all is below `least`."""
    count = max(FEWEST, int(FLATTEST * len(seen)))
    if len(seen) < 2 * FEWEST:
        return 0.0
    flatness = coarse.ravel()[seen]
    flattest = seen[flatness <= np.partition(flatness, count - 1)[count - 1]]
    flattest = flattest[:: -(-len(flattest) // MOST)]
    chosen = fine.ravel()[flattest]
    deviation = _deviation(float(np.median(chosen)), BLOCK**2 * _OF_MASK * LEVELS)
    if deviation < least:
        return 0.0
    at_half = _deviation(float(coarse.ravel()[flattest].mean()), BLOCK**2 / 4 * _OF_MASK * LEVELS)
    patches = _Patches.cut(windows, flattest, fine.shape)
    if not _is_noise(deviation, at_half, chosen, patches):
        return 0.0
    usual = _deviation(float(np.median(fine.ravel()[seen])), BLOCK**2 * _OF_MASK * LEVELS)
    # A share of the usual texture is in the flattest blocks, too: deviation^2 = noise^2 + share^2 (usual^2 - noise^2).
    return math.sqrt(max(deviation**2 - (_TEXTURE * usual) ** 2, 0.0) / (1 - _TEXTURE**2))


def _is_noise(deviation: float, at_half: float, chosen: Integers, patches: _Patches) -> bool:
    ratio = deviation / (at_half + 0.05)
    spread = float(np.sort(chosen)[len(chosen) * 9 // 10] / np.median(chosen))
    if ratio > 2.5 or patches.levels() < 12 or patches.evenness() < 0.92:
        return False
    color = patches.color() / deviation
    if color > 0.9 and ratio > 0.4:
        return True
    if spread > 1.8:
        return False
    if color > 0.6 and ratio > 0.6 and patches.whiteness() > 0.3:
        return True
    return ratio > max(0.9, 1.1 - 0.05 * max(0.0, deviation - 3)) and patches.whiteness() > 0.5


@dataclass(frozen=True, eq=False)
class _Patches:
    """Blocks with a margin of one pixel: luma [n, 10, 10] and colours [3, n, 10, 10]."""

    luma: Integers
    colors: Integers | None

    @classmethod
    def cut(cls, windows: Windows, blocks: Integers, shape: tuple[int, ...]) -> _Patches:
        where = block_pixels(blocks, shape, margin=1)
        colors = None if windows.colors is None else windows.colors[(slice(None), *where)].astype(np.int64)
        return cls(windows.luma[where].astype(np.int64), colors)

    def levels(self) -> float:
        """How many levels of luma a block has, which are few if it is dithered."""
        values = np.sort(self.luma[:, 1:-1, 1:-1].reshape(-1, BLOCK**2), axis=1)
        return float(np.median((np.diff(values, axis=1) > 0).sum(axis=1) + 1))

    def evenness(self) -> float:
        """1 for Gaussian noise; less for lines and letters in a block, which are strong in few places."""
        mask = _mask(self.luma)
        squares = np.sqrt((mask * mask).sum(axis=(1, 2)) / BLOCK**2)
        return float(np.median(np.abs(mask).sum(axis=(1, 2)) / BLOCK**2 * _TO_DEVIATION / np.maximum(squares, 1)))

    def whiteness(self) -> float:
        """1 for white noise; less for what is stronger along rows and columns than across both."""
        along = np.abs(self.luma[:, 1:-1, :-2] - 2 * self.luma[:, 1:-1, 1:-1] + self.luma[:, 1:-1, 2:]).sum(axis=(1, 2))
        down = np.abs(self.luma[:, :-2, 1:-1] - 2 * self.luma[:, 1:-1, 1:-1] + self.luma[:, 2:, 1:-1]).sum(axis=(1, 2))
        both = np.abs(_mask(self.luma)).sum(axis=(1, 2)) / _OF_MASK
        return float(np.median(both)) / float(max(np.median(along + down) / math.sqrt(24), 1.0))

    def color(self) -> float:
        """The deviation of noise that differs between the colours, in grey levels; 0 for grey pictures."""
        if self.colors is None:
            return 0.0
        red, green, blue = self.colors
        sums = [float(np.median(np.abs(_mask(other - green)).sum(axis=(1, 2)))) for other in (red, blue)]
        return _deviation(min(sums), BLOCK**2 * _OF_MASK * math.sqrt(2))


def _deviation(total: float, divisor: float) -> float:
    return total / divisor * _TO_DEVIATION


def _mask(values: NDArray[Any]) -> NDArray[Any]:
    """Immerkaer's mask of planes [n, h, w], [n, h - 2, w - 2]; 16 bits hold that of luma."""
    down = values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:]
    return np.asarray(down[:, :, :-2] - 2 * down[:, :, 1:-1] + down[:, :, 2:])


def _magnitudes(luma: NDArray[Any]) -> NDArray[Any]:
    """Of the mask, as large as `luma`, 0 along its border."""
    found = np.zeros_like(luma)
    np.abs(_mask(luma), out=found[:, 1:-1, 1:-1])
    return found
