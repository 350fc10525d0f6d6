"""PSNR and SSIM as super-resolution papers compute them: on the luma of BT.601, borders cropped, float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.rgb import CHROMA, LUMA

Image = NDArray[np.uint8] | NDArray[np.float64]


def rgb_to_y(image: Image) -> NDArray[np.float64]:
    """[H, W, 3] RGB or [H, W] grey in 0..255 -> studio-range luma [H, W] in 16..235, not rounded (MATLAB rgb2ycbcr)."""
    rgb = image.astype(np.float64) / 255
    if rgb.ndim == 2:
        return 16 + 219 * rgb
    return np.asarray(16 + rgb @ (219 * LUMA))


def crop_border(image: NDArray[np.float64], border: int) -> NDArray[np.float64]:
    """Removes `border` pixels on every side."""
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def psnr(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """10 log10(255^2 / MSE) of two pictures in 0..255; infinite for equal ones."""
    error = float(np.mean((first - second) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def chroma_psnr(first: NDArray[np.uint8], second: NDArray[np.uint8], border: int) -> float:
    """PSNR in dB of the blue and red differences of full-range BT.601, of RGB pictures [H, W, 3], borders cropped."""
    difference = first.astype(np.float64) - second.astype(np.float64)
    chroma = difference @ CHROMA.T
    blue, red = (crop_border(plane, border) for plane in np.moveaxis(chroma, 2, 0))
    error = float(np.mean(blue**2) + np.mean(red**2)) / 2
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Mean structural similarity (Wang et al., 2004): 11x11 Gaussian of sigma 1.5, K = 0.01 and 0.03, L = 255.

    Windows lie inside the picture only, so both sides must be at least 11 pixels.
    """
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean1, mean2 = _gaussian(first), _gaussian(second)
    variance1 = _gaussian(first**2) - mean1**2
    variance2 = _gaussian(second**2) - mean2**2
    covariance = _gaussian(first * second) - mean1 * mean2
    luminance = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    structure = (2 * covariance + c2) / (variance1 + variance2 + c2)
    return float(np.mean(luminance * structure))


def _gaussian(image: NDArray[np.float64]) -> NDArray[np.float64]:
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    for axis in (0, 1):
        image = np.lib.stride_tricks.sliding_window_view(image, 11, axis) @ window
    return image
