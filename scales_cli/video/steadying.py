"""What keeps still areas still.

A binary activation near its threshold turns over with the least noise: between two frames of a still scene that differ
by noise of a quarter grey level, what a 1-bit network adds changes several times as much as the picture does. Where
the input has not moved, what is added is therefore the mean of the last frames'; that of a moving area is its own.
Noise and motion are told apart by their means over 3 x 3 pixels, which noise loses and motion keeps.
"""

from __future__ import annotations

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
        self._luma: Plane | None = None
        self._mean: Planes | None = None

    def steady(self, luma: Plane, residual: Planes) -> Planes:
        """What to add to a frame of luma [H, W], of the network's `residual` [sH, sW]; it is kept, not copied."""
        before, mean = self._luma, self._mean
        self._luma = luma
        if before is None or mean is None or mean.shape != residual.shape:
            self._mean = residual.copy()
            return self._mean
        share = _enlarged(share_of_new(before, luma, self._level), self._scale)
        change = residual - mean
        change *= share
        mean += change
        return mean


def share_of_new(before: Plane, after: Plane, level: float) -> NDArray[np.float32]:
    """Of each pixel [H, W], how much of what is added is the new frame's; `level` is a grey level in codes."""
    change = _box_sum(after.astype(np.int32) - before.astype(np.int32), _MEAN)
    energy = _box_sum(change.astype(np.int64) ** 2, _AROUND)
    samples = (2 * _MEAN + 1) ** 2 * (2 * _AROUND + 1)
    moved = np.sqrt(energy.astype(np.float64)) / (samples * level)
    share = _SHARE + (1 - _SHARE) * np.clip((moved - _STILL) / (_MOVING - _STILL), 0, 1)
    return share.astype(np.float32)


def _box_sum(values: NDArray[np.signedinteger], reach: int) -> NDArray[np.signedinteger]:
    """Sums over squares of 2 `reach` + 1 pixels, the picture's edge repeated."""
    for axis in (0, 1):
        size = values.shape[axis]
        padded = np.pad(values, [(reach, reach) if at == axis else (0, 0) for at in (0, 1)], mode="edge")
        total = np.take(padded, range(size), axis) if axis else padded[:size].copy()
        for shift in range(1, 2 * reach + 1):
            total += padded[:, shift : shift + size] if axis else padded[shift : shift + size]
        values = total
    return values


def _enlarged(share: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    return np.repeat(np.repeat(share, scale, axis=0), scale, axis=1)
