import numpy as np

from scales_cli.pipeline.alpha import visible_colours


def test_visible_colours_fills_from_the_surroundings():
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[...] = (255, 0, 255)
    alpha = np.zeros((8, 8, 1), np.uint8)
    colour[2, 3], alpha[2, 3] = (10, 20, 30), 255
    assert (visible_colours(colour, alpha) == (10, 20, 30)).all()


def test_visible_colours_takes_the_nearest():
    colour = np.zeros((4, 32, 1), np.uint8)
    alpha = np.zeros((4, 32, 1), np.uint8)
    colour[:, :2], alpha[:, :2] = 50, 255
    colour[:, -2:], alpha[:, -2:] = 200, 255
    filled = visible_colours(colour, alpha)
    assert (filled[:, :8] == 50).all()
    assert (filled[:, -8:] == 200).all()


def test_visible_colours_keeps_visible_pixels(rng):
    colour = rng.integers(0, 65536, (7, 5, 3), dtype=np.uint16)
    alpha = rng.integers(0, 65536, (7, 5, 1), dtype=np.uint16)
    filled = visible_colours(colour, alpha)
    kept = alpha[..., 0] > 65535 // 32
    assert np.array_equal(filled[kept], colour[kept])
    assert filled.dtype == np.uint16


def test_visible_colours_of_almost_nothing():
    colour = np.full((3, 1, 3), 9, np.uint8)
    alpha = np.array([0, 1, 2], np.uint8).reshape(3, 1, 1)
    assert visible_colours(colour, alpha).shape == (3, 1, 3)
