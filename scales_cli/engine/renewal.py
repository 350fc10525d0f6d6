"""Regions of a residual that are computed again, while all else stays as it was."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import PlaneSource, Region, RegionalEngine, Residual, new_residual
from scales_cli.engine.gate_windows import WINDOW_SIDE, WINDOWS_PER_AXIS
from scales_cli.engine.tiling import PIECE_ROWS, gate_pass_bytes, stream_bytes


class Renewal:
    """What a network with these gates gives for regions of a picture: the bytes that it gives for the whole picture.

    Each is begun at once, on a thread of the engine's pool; on a single thread when it is asked for.
    """

    def __init__(self, engine: RegionalEngine, source: PlaneSource, gates: Any, regions: Sequence[Region]) -> None:
        self._engine, self._source, self._gates, self._regions = engine, source, gates, regions
        self._stopped = threading.Event()
        self._parts = engine.pool.map(self._compute, regions)

    def put(self, residual: Residual) -> None:
        """Puts them into the picture's residual, once; waits until they are computed."""
        for region, part in zip(self._regions, self._parts, strict=True):
            _place(residual, region, part, self._engine.spec.scale)

    def stop(self) -> None:
        """What is still to be computed is not needed."""
        self._stopped.set()

    def _compute(self, region: Region) -> Residual:
        top, bottom, left, right = region
        part, row = new_residual(self._engine.spec, bottom - top, right - left), 0
        for piece in self._engine.region(self._source, self._gates, region):
            if self._stopped.is_set():
                break
            rows = piece.planes.shape[1] // self._engine.spec.scale
            _place(part, Region(row, row + rows, 0, right - left), piece, self._engine.spec.scale)
            row += rows
            del piece
        return part


def renewal_bytes(spec: NetworkSpec, height: int, width: int, threads: int) -> int:
    """The most that fixing gates and then renewing regions take, upright or sideways; each thread has one at a time.

    The parts that are computed, as large as the regions, are not counted.
    """
    side = max(height, width)
    window = min(WINDOW_SIDE, side)
    windows = gate_pass_bytes(spec, WINDOWS_PER_AXIS**2 * window, window, threads)
    piece = PIECE_ROWS * side * (4 * spec.colors * spec.scale**2 + (8 if spec.has_chroma else 0))
    return max(windows, threads * (stream_bytes(spec, side) + piece))


def _place(whole: Residual, region: Region, part: Residual, scale: int) -> None:
    for target, values, times in zip(whole, part, (scale, 1), strict=True):
        if target is not None and values is not None:
            top, bottom, left, right = (times * side for side in region)
            target[:, top:bottom, left:right] = values
