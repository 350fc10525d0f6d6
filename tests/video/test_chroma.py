"""Chroma stays where it lies, whatever its place among the luma samples."""

import numpy as np
import pytest

from scales_cli.video.chroma import enlarge_chroma, gather_from_luma, spread_to_luma
from scales_cli.video.frame import PixelFormat


def ramp(size, pixels, times):
    """Codes of chroma that rise with the place in the input's picture: 4 a luma sample, 50 at its left edge."""
    width, height = size
    rows, columns = pixels.shapes(width, height)[1]
    across = pixels.subsampling[0]
    luma = across * np.arange(columns) + (0.5 if pixels.left else across / 2)  # from the left edge, in luma samples
    return np.tile(50 + 4 * luma / times, (rows, 1))


@pytest.mark.parametrize("times", [2, 3, 4, 2.5])
@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("depth", [8, 10])
def test_a_ramp_stays_in_place(times, subsampling, left, depth):
    pixels = PixelFormat(subsampling, depth, left=left and subsampling[0] > 1)
    size = (int(32 * times), int(16 * times))
    plane = (ramp((32, 16), pixels, 1) * (1 << (depth - 8))).astype(pixels.dtype)
    expected = ramp(size, pixels, times) * (1 << (depth - 8))
    found = enlarge_chroma(plane, (times, times), pixels.shapes(*size)[1], pixels)
    inside = slice(int(4 * times), -int(4 * times))
    assert np.abs(found - expected)[:, inside].max() <= 1


def test_flat_chroma_stays_flat():
    pixels = PixelFormat(left=True)
    assert (enlarge_chroma(np.full((9, 8), 77, np.uint8), (4.0, 4.0), (36, 32), pixels) == 77).all()


@pytest.mark.parametrize("pixels", [PixelFormat(), PixelFormat(left=True), PixelFormat((1, 1))], ids=str)
def test_chroma_of_each_luma_sample_is_gathered_again(rng, pixels):
    smooth = np.cumsum(rng.standard_normal((12, 12)).astype(np.float32) * 0.01, axis=1)
    spread = spread_to_luma(smooth, pixels.shapes(24, 24)[0] if pixels.subsampling == (2, 2) else (12, 12), pixels)
    back = gather_from_luma(spread, pixels)
    assert np.abs(back - smooth)[1:-1, 1:-1].max() < 0.02
