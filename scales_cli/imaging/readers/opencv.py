"""OpenCV, which decodes more than 8 bits of color where Pillow gives 8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RGB_ORDER = (2, 1, 0, 3)  # of the channels, which are blue, green, red and alpha


def decode_deep(file: bytes | memoryview, size: tuple[int, int]) -> NDArray[Any] | None:
    """uint16 [H, W, C] of a file, None if it is not of this size (width, height) and more than 8 bits."""
    import cv2

    try:
        decoded = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if decoded is None or decoded.dtype != np.uint16 or decoded.shape[:2] != size[::-1]:
        return None
    return np.asarray(decoded).reshape(*decoded.shape[:2], -1)
