"""A part of a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scales_cli.imaging.picture import Pixels


@dataclass(frozen=True)
class Crop:
    """A rectangle of a picture's pixels."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, rows: Iterable[Pixels]) -> Iterator[Pixels]:
        """What lies in it of a picture's rows [n, W, C] that come from the top down. All of them are taken."""
        y = 0
        for piece in rows:
            first, last = max(self.top - y, 0), min(self.top + self.height - y, len(piece))
            y += len(piece)
            if first < last:
                yield piece[first:last, self.left : self.left + self.width]
            del piece  # so that one is in memory, not two
