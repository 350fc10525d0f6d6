"""Plain enlargement, for comparison: an engine that adds nothing to the bicubic picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import Planes, PlaneSource, Residual
from scales_cli.engine.tiling import Tiling
from scales_cli.system.progress import Progress

_PIECE_PIXELS = 2**20  # of the output at once


class BicubicEngine:
    def __init__(self, scale: int) -> None:
        self.spec = NetworkSpec(scale=scale)

    def plan(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling | None, int]:
        return None, self._rows(width) * width * self.spec.scale**2 * (2 * np.float32().itemsize + pixel_bytes)

    def residual(self, planes: Planes) -> Planes:
        _, height, width = planes.shape
        return self._nothing(height, width)

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Residual]:
        rows = self._rows(source.width)
        for top in range(0, source.height, rows):
            bottom = min(top + rows, source.height)
            yield Residual(self._nothing(bottom - top, source.width))
            if progress is not None:
                progress(bottom / source.height)

    def _nothing(self, height: int, width: int) -> Planes:
        return np.zeros((1, self.spec.scale * height, self.spec.scale * width), np.float32)

    def _rows(self, width: int) -> int:
        """LR rows of a piece."""
        return max(1, _PIECE_PIXELS // (width * self.spec.scale**2))
