"""What networks see of a picture, and what becomes of what they give."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import Planes, Residual
from scales_cli.engine.composition import Addition, luma, ycc
from scales_cli.imaging.rgb import as_rgb

Read = Callable[[int, int, int, int], NDArray[Any]]  # of rows [top, bottom) and columns [left, right)

REACH = 2  # LR rows beyond those of the output that bicubic enlargement reads


class PicturePlanes:
    """The planes a network sees of a picture [H, W, 1 or 3], with `strength` as one more if it wants that."""

    def __init__(self, height: int, width: int, spec: NetworkSpec, read: Read, strength: float = 0.0) -> None:
        self.height, self.width = height, width
        self._spec, self._read, self._strength = spec, read, strength

    def read(self, top: int, bottom: int, left: int, right: int) -> Planes:
        planes = self._planes(np.ascontiguousarray(self._read(top, bottom, left, right)))
        if not self._spec.strength:
            return planes
        return np.concatenate([planes, np.full_like(planes[:1], self._strength)])

    def _planes(self, pixels: NDArray[Any]) -> Planes:
        if self._spec.planes == "luma":
            return luma(pixels)[None]
        if self._spec.planes == "ycc":
            return ycc(pixels)
        rgb = np.moveaxis(as_rgb(pixels), 2, 0)
        return np.ascontiguousarray(rgb / np.float32(np.iinfo(pixels.dtype).max), np.float32)


def additions(pieces: Iterator[Residual], height: int, scale: int, channels: int) -> Iterator[Addition]:
    """What is added to a picture of `height` LR rows, from what a network gives from the top down.

    Rows wait for the chroma of those below, as far as its enlargement reads; a picture of one channel, which has no
    chroma, ignores it.
    """
    waiting: deque[Planes] = deque()  # of output rows from `row` on
    above: Planes | None = None  # chroma of LR rows from `first` on that is still to be read
    row = first = 0
    for planes, chroma in pieces:
        if chroma is None or channels == 1:
            # One plane for grey pictures, whatever the network sees.
            added = Addition(planes.mean(axis=0, keepdims=True) if planes.shape[0] > channels else planes, row)
            row = added.rows[1]
            del planes, chroma  # or they would be in memory beside the next ones
            yield added
            del added
            continue
        chroma = np.ascontiguousarray(chroma) if above is None else np.concatenate([above, chroma], axis=1)
        known = first + chroma.shape[1]
        end = scale * (known if known == height else known - REACH)
        waiting.append(planes)
        del planes
        while row < end:
            planes = waiting.popleft()
            count = min(planes.shape[1], end - row)
            if count < planes.shape[1]:
                waiting.appendleft(planes[:, count:].copy())
            yield Addition(planes[:, :count], row, chroma, first)
            row += count
            del planes
        kept = max(row // scale - REACH, 0)
        above, first = chroma[:, kept - first :].copy(), kept
        del chroma
