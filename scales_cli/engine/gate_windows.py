"""The windows of a large picture over which its channel gates are measured.

They depend on the picture's size alone, so that the gates do not depend on memory, tiles or threads.
"""

from __future__ import annotations

from scales_cli.engine.base import Planes, PlaneSource

WINDOWS_PER_AXIS = 4
# By larger windows, the mean PSNR of 19 pictures is no better: of tiny, base, photo-tiny and photo it is 0.001 dB worse
# with sides of 64 pixels, which cost four times as much.
WINDOW_SIDE = 32
ATTENTION_SIDE = 64  # of networks that look far around


def window_origins(length: int, side: int = WINDOW_SIDE) -> list[int]:
    """Origins of the windows along one axis of N pixels: floor(i (N - w) / 3)."""
    side = min(side, length)
    return [i * (length - side) // (WINDOWS_PER_AXIS - 1) for i in range(WINDOWS_PER_AXIS)]


def gate_windows(source: PlaneSource, side: int = WINDOW_SIDE) -> list[Planes]:
    """The planes of every window, row by row of the grid."""
    return [
        source.read(y, min(y + side, source.height), x, min(x + side, source.width))
        for y in window_origins(source.height, side)
        for x in window_origins(source.width, side)
    ]
