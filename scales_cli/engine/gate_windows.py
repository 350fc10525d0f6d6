"""The windows of a large picture over which its channel gates are measured.

They depend on the picture's size alone, so that the gates do not depend on memory, tiles or threads.
"""

from __future__ import annotations

from scales_cli.engine.base import Planes, PlaneSource

WINDOWS_PER_AXIS = 4
WINDOW_SIDE = 64


def window_origins(length: int) -> list[int]:
    """Origins of the windows along one axis of N pixels: floor(i (N - w) / 3)."""
    side = min(WINDOW_SIDE, length)
    return [i * (length - side) // (WINDOWS_PER_AXIS - 1) for i in range(WINDOWS_PER_AXIS)]


def gate_windows(source: PlaneSource) -> list[Planes]:
    """The planes of every window, row by row of the grid."""
    return [
        source.read(y, min(y + WINDOW_SIDE, source.height), x, min(x + WINDOW_SIDE, source.width))
        for y in window_origins(source.height)
        for x in window_origins(source.width)
    ]
