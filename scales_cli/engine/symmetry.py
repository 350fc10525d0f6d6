"""The eight flips and turns of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine.base import Planes, PlaneSource, Region


@dataclass(frozen=True)
class Symmetry:
    """A picture that is transposed, and whose rows and columns are then in reverse order, as far as it says."""

    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False

    def turn(self, planes: NDArray[Any]) -> NDArray[Any]:
        """A view of planes [..., H, W], turned."""
        planes = planes.swapaxes(-1, -2) if self.transposed else planes
        return planes[..., :: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]

    def place(self, region: Region, height: int, width: int) -> Region:
        """Where a region of a picture of `height` x `width` lies once that is turned."""
        top, bottom, left, right = region
        if self.transposed:
            top, bottom, left, right, height, width = left, right, top, bottom, width, height
        return self._mirror(Region(top, bottom, left, right), height, width)

    def place_back(self, region: Region, height: int, width: int) -> Region:
        """Where a region of a turned picture of `height` x `width` lay before."""
        top, bottom, left, right = self._mirror(region, height, width)
        return Region(left, right, top, bottom) if self.transposed else Region(top, bottom, left, right)

    def _mirror(self, region: Region, height: int, width: int) -> Region:
        top, bottom, left, right = region
        if self.upside_down:
            top, bottom = height - bottom, height - top
        if self.mirrored:
            left, right = width - right, width - left
        return Region(top, bottom, left, right)


# The first two and four are groups of their own: turning a picture changes the order of its turned ones, no more.
SYMMETRIES = tuple(
    Symmetry(transposed, upside_down, mirrored)
    for transposed in (False, True)
    for upside_down in (False, True)
    for mirrored in (False, True)
)


class TurnedPlanes:
    """A picture's planes, turned as they are read."""

    def __init__(self, source: PlaneSource, symmetry: Symmetry) -> None:
        self._source, self._symmetry = source, symmetry
        self.height, self.width = source.height, source.width
        if symmetry.transposed:
            self.height, self.width = self.width, self.height

    def read(self, top: int, bottom: int, left: int, right: int) -> Planes:
        region = self._symmetry.place_back(Region(top, bottom, left, right), self.height, self.width)
        return np.ascontiguousarray(self._symmetry.turn(self._source.read(*region)))
