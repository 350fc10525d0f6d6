"""What networks see of a picture, and what becomes of the chroma that they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import Planes, Residual
from scales_cli.engine.composition import luma, spread_chroma, ycc
from scales_cli.imaging.rgb import as_rgb
from scales_cli.system.threads import ThreadPool

Read = Callable[[int, int, int, int], NDArray[Any]]  # of rows [top, bottom) and columns [left, right)

REACH = 2  # LR rows beyond those of the output that bicubic enlargement reads
BAND = 8  # LR rows whose residual has three colors at a time, which caches hold then


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


def residual_colors(
    pieces: Iterator[Residual], height: int, scale: int, channels: int, threads: ThreadPool
) -> Iterator[Planes]:
    """The residual of a picture's colors, [1 or `channels`, rows, sW], from what a network gives from the top down.

    `height` is in LR rows. Chroma waits for the rows below that its enlargement reads; a picture of one channel, which
    has none, ignores it.
    """
    waiting: Residual | None = None
    begin = 0  # residual of LR rows from `begin` on, its chroma from REACH rows above on
    for planes, chroma in pieces:
        if chroma is None or channels == 1:
            # One plane for grey pictures, whatever the network sees.
            yield planes.mean(axis=0, keepdims=True) if planes.shape[0] > channels else planes
            del planes, chroma  # or they would be in memory beside the next ones
            continue
        if waiting is not None and waiting.chroma is not None:
            planes = np.concatenate([waiting.planes, planes], axis=1)
            chroma = np.concatenate([waiting.chroma, chroma], axis=1)
        first = max(begin - REACH, 0)
        given = first + chroma.shape[1]
        end = height if given == height else max(given - REACH, begin)
        for top in range(begin, end, BAND):
            bottom = min(top + BAND, end)
            yield spread_chroma(
                planes[0, scale * (top - begin) : scale * (bottom - begin)],
                chroma,
                scale,
                rows=(scale * top, scale * bottom),
                first=first,
                height=height,
                threads=threads,
            )
        kept = max(end - REACH, 0) - first
        waiting = Residual(planes[:, scale * (end - begin) :].copy(), chroma[:, kept:].copy())
        begin = end
        del planes, chroma
