"""What keeps still areas still.

A binary activation near its threshold turns over with the least noise: between two frames of a still scene that differ
by noise of a quarter grey level, what a 1-bit network adds changes several times as much as the picture does. Where
the input has not moved, what is added is therefore the mean of the last frames'; that of a moving area is its own.
Noise and motion are told apart by their means over 3 x 3 pixels, which noise loses and motion keeps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine.base import Planes
from scales_cli.video.frame import Plane

# By measurement on pictures that stand, creep and pan, with noise of 0 to 2 levels: the lowest share and the highest
# bounds that lose no more than 0.02 dB anywhere.
_SHARE = 0.25  # of a frame in the mean where nothing moves
_STILL, _MOVING = 0.25, 0.8  # change in grey levels of 255, up to which all stands, and from which all moves
_MEAN, _AROUND = 1, 2  # pixels on either side that are averaged, and that are asked for the change


class Steadier:
    """Averages over frames what a network adds to them, where they do not move. Integers decide: exact anywhere."""

    def __init__(self, scale: int, white: int) -> None:
        self._scale, self._level = scale, white / 255
        self._before: Plane | None = None
        self._luma: Plane | None = None
        self._mean: Planes | None = None

    def begin(self, luma: Plane) -> None:
        """A frame of luma [H, W], whose bands are to be steadied, in any order and on any threads."""
        self._before, self._luma = self._luma, luma
        if self._mean is None:
            self._mean = np.empty((self._scale * luma.shape[0], self._scale * luma.shape[1]), np.float32)

    def steady(self, residual: Planes, top: int) -> Planes:
        """What to add to the frame's rows from `top` on, of the network's `residual` of them [s * rows, sW]; a view."""
        assert self._luma is not None
        assert self._mean is not None
        rows, width = residual.shape
        bottom = top + rows // self._scale
        mean = self._mean[self._scale * top : self._scale * bottom]
        if self._before is None:
            mean[:] = residual
            return mean
        first = max(top - _MEAN - _AROUND, 0)
        seen = np.s_[first : bottom + _MEAN + _AROUND]
        share = share_of_new(self._before[seen], self._luma[seen], self._level)[top - first : bottom - first]
        kept = (np.float32(1) - share).repeat(self._scale, axis=1)[:, None]
        with np.errstate(invalid="ignore"):  # what is no number is refused where it is added to the picture
            mean -= residual
            by_rows = mean.reshape(-1, self._scale, width)
            by_rows *= kept
            mean += residual
        return mean


def share_of_new(before: Plane, after: Plane, level: float) -> NDArray[np.float32]:
    """Of each pixel [H, W], how much of what is added is the new frame's; `level` is a grey level in codes."""
    import cv2

    change = _box_sum(cv2.subtract(after, before, dtype=cv2.CV_32S), _MEAN)
    # Sums of 25 squares of up to 9 * 255 are integers of 32 bits, those of larger codes need the 53 of a float.
    energy = _box_sum(change * change if after.dtype == np.uint8 else change.astype(np.float64) ** 2, _AROUND)
    share = np.sqrt(energy.astype(np.float32))
    share /= np.float32((2 * _MEAN + 1) ** 2 * (2 * _AROUND + 1) * level)
    share -= np.float32(_STILL)
    share *= np.float32((1 - _SHARE) / (_MOVING - _STILL))
    share += np.float32(_SHARE)
    return np.clip(share, np.float32(_SHARE), np.float32(1), out=share)


def _box_sum(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """Sums over squares of 2 `reach` + 1 pixels, the picture's edge repeated: of integers, also as floats, exact."""
    import cv2

    side = 2 * reach + 1
    return np.asarray(cv2.boxFilter(values, -1, (side, side), normalize=False, borderType=cv2.BORDER_REPLICATE))
