import tracemalloc

import numpy as np
import pytest

from scales_cli.pipeline import alpha as alpha_module
from scales_cli.pipeline.alpha import VisibleColors


def visible_colors(color, alpha):
    return VisibleColors(color, alpha).read(0, color.shape[0], 0, color.shape[1])


def test_visible_colors_fills_from_the_surroundings():
    color = np.zeros((8, 8, 3), np.uint8)
    color[...] = (255, 0, 255)
    alpha = np.zeros((8, 8, 1), np.uint8)
    color[2, 3], alpha[2, 3] = (10, 20, 30), 255
    assert (visible_colors(color, alpha) == (10, 20, 30)).all()


def test_visible_colors_takes_the_nearest():
    color = np.zeros((4, 32, 1), np.uint8)
    alpha = np.zeros((4, 32, 1), np.uint8)
    color[:, :2], alpha[:, :2] = 50, 255
    color[:, -2:], alpha[:, -2:] = 200, 255
    filled = visible_colors(color, alpha)
    assert (filled[:, :8] == 50).all()
    assert (filled[:, -8:] == 200).all()


def test_visible_colors_reach_as_far_as_the_picture():
    color = np.zeros((2, 5000, 1), np.uint8)
    alpha = np.zeros((2, 5000, 1), np.uint8)
    color[0, 0], alpha[0, 0] = 200, 255
    assert (visible_colors(color, alpha) == 200).all()


def test_visible_colors_keeps_visible_pixels(rng):
    color = rng.integers(0, 65536, (7, 5, 3), dtype=np.uint16)
    alpha = rng.integers(0, 65536, (7, 5, 1), dtype=np.uint16)
    filled = visible_colors(color, alpha)
    kept = alpha[..., 0] > 65535 // 32
    assert np.array_equal(filled[kept], color[kept])
    assert filled.dtype == np.uint16


def test_visible_colors_of_a_part_are_those_of_the_whole(rng, monkeypatch):
    monkeypatch.setattr(alpha_module, "_BAND_PIXELS", 30)
    color = rng.integers(0, 256, (13, 9, 3), dtype=np.uint8)
    alpha = rng.choice(np.array([0, 255], np.uint8), (13, 9, 1), p=[0.8, 0.2])
    filled, part = visible_colors(color, alpha), VisibleColors(color, alpha)
    for top, bottom, left, right in [(0, 13, 0, 9), (1, 2, 3, 4), (5, 12, 1, 8), (4, 5, 0, 9), (12, 13, 8, 9)]:
        assert np.array_equal(part.read(top, bottom, left, right), filled[top:bottom, left:right])


def test_visible_colors_of_almost_nothing():
    color = np.full((3, 1, 3), 9, np.uint8)
    alpha = np.array([0, 1, 2], np.uint8).reshape(3, 1, 1)
    assert visible_colors(color, alpha).shape == (3, 1, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_enlarge_does_not_depend_on_bands(upscaler, rng, monkeypatch, dtype):
    image = rng.integers(0, np.iinfo(dtype).max + 1, (13, 11, 4), dtype=dtype)
    whole = upscaler(3, np.abs).upscale(image)
    for pixels in (1, 7 * 33):
        monkeypatch.setattr(alpha_module, "_BAND_PIXELS", pixels)
        assert np.array_equal(upscaler(3, np.abs).upscale(image), whole)


def test_enlarge_takes_little_memory(upscaler, rng):
    image = rng.integers(0, 256, (1000, 1000, 4), dtype=np.uint8)
    tracemalloc.start()
    try:
        upscaler(2).upscale(image)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2000 * 2000
    finally:
        tracemalloc.stop()
