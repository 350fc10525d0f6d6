"""Regions of a residual that are computed again, while all else stays as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import PlaneSource, Region, RegionalEngine, Residual, check_finite
from scales_cli.engine.gate_windows import WINDOW_SIDE, WINDOWS_PER_AXIS
from scales_cli.engine.tiling import PIECE_ROWS, gate_pass_bytes, stream_bytes


def renew(
    engine: RegionalEngine, source: PlaneSource, gates: Any, regions: Iterable[Region], residual: Residual
) -> None:
    """Puts what the network gives for these regions of a picture into its residual, each on a thread of its own.

    The bytes are those of the whole picture with these gates. Raises `WeightsError` if they are no numbers.
    """
    scale, stopped = engine.spec.scale, threading.Event()

    def make(region: Region) -> None:
        row = region.top
        for planes, chroma in engine.region(source, gates, region):
            if stopped.is_set():
                return
            check_finite(planes)
            rows = planes.shape[1] // scale
            residual.planes[:, scale * row : scale * (row + rows), scale * region.left : scale * region.right] = planes
            if residual.chroma is not None and chroma is not None:
                residual.chroma[:, row : row + rows, region.left : region.right] = chroma
            row += rows
            del planes, chroma

    engine.pool.run((partial(make, region) for region in regions), stop=stopped.set)


def renewal_bytes(spec: NetworkSpec, height: int, width: int, threads: int) -> int:
    """The most that fixing gates and then renewing regions take, upright or sideways; each thread has one at a time."""
    side = max(height, width)
    windows = gate_pass_bytes(spec, WINDOWS_PER_AXIS**2 * min(WINDOW_SIDE, side), min(WINDOW_SIDE, side))
    piece = PIECE_ROWS * side * (4 * spec.colors * spec.scale**2 + (8 if spec.has_chroma else 0))
    return max(windows, threads * (stream_bytes(spec, side) + piece))
