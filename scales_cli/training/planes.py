"""Pictures as the planes that networks see, rounded to uint8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.rgb import CHROMA, LUMA, as_rgb

MIDDLE = 128.0  # of the differences

Planes = NDArray[np.uint8]


def to_planes(pixels: Planes, kind: str) -> Planes:
    """Grey or RGB [H, W, 1 or 3] -> [1 or 3, H, W]; `kind` is a key of `backbones.spec.PLANES`."""
    rgb = as_rgb(pixels)
    if kind == "rgb":
        return np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    luma = to_luma(rgb)[None]
    return luma if kind == "luma" else np.concatenate([luma, _rounded(np.moveaxis(_chroma(rgb), 2, 0))])


def to_luma(rgb: Planes) -> Planes:
    """[H, W, 3] -> [H, W]."""
    return _rounded(np.asarray(rgb @ LUMA))


def reduced_chroma(rgb: Planes, scale: int) -> Planes:
    """Blue and red difference of [sH, sW, 3] at LR size, [2, H, W]: the mean over each s x s square."""
    height, width = rgb.shape[0] // scale, rgb.shape[1] // scale
    chroma = _chroma(rgb[: height * scale, : width * scale])
    means = chroma.reshape(height, scale, width, scale, 2).mean(axis=(1, 3))
    return _rounded(np.moveaxis(means, 2, 0))


def _chroma(rgb: Planes) -> NDArray[np.float32]:
    return np.asarray(rgb @ CHROMA.T.astype(np.float32) + np.float32(MIDDLE))


def _rounded(values: NDArray[Any]) -> Planes:
    return np.ascontiguousarray(np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8))
