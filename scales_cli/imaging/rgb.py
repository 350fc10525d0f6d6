"""Red, green and blue of other notations: grey, and the brightness and color differences of BT.601, full range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114])  # of R G B
CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])  # (B - Y) / 1.772, (R - Y) / 1.402
_FROM_YCC = np.array([[1.0, 1.0, 1.0], [0.0, -0.344136, 1.772], [1.402, -0.714136, 0.0]])


def as_rgb(pixels: NDArray[Any]) -> NDArray[Any]:
    """Grey or RGB [H, W, 1 or 3] as a view [H, W, 3] that is not to be written to."""
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def ycc_to_rgb(pixels: NDArray[Any]) -> NDArray[Any]:
    """Luma, blue and red difference [..., 3] of uint8 or uint16, as in JPEG and sYCC, to RGB of the same type."""
    full = np.iinfo(pixels.dtype).max
    ycc = pixels.astype(np.float64)
    ycc[..., 1:] -= full // 2 + 1
    rgb: NDArray[Any] = np.clip(np.rint(ycc @ _FROM_YCC), 0, full).astype(pixels.dtype)
    return rgb
