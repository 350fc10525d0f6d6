import math

import numpy as np
import pytest

from scales_cli.imaging.metrics import crop_border, psnr, rgb_to_y, ssim

metrics = pytest.importorskip("skimage.metrics")


@pytest.fixture
def pair(rng):
    first = rng.uniform(0, 255, (40, 53))
    return first, np.clip(first + rng.normal(0, 12, first.shape), 0, 255)


def test_psnr_equals_skimage(pair):
    assert psnr(*pair) == pytest.approx(metrics.peak_signal_noise_ratio(*pair, data_range=255), abs=1e-9)


def test_ssim_equals_skimage(pair):
    """Gaussian windows of 11 pixels, population statistics; skimage averages over the same valid region."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert ssim(*pair) == pytest.approx(metrics.structural_similarity(*pair, **options), abs=1e-9)


def test_psnr_of_equal_pictures_is_infinite(pair):
    assert psnr(pair[0], pair[0]) == math.inf
    assert ssim(pair[0], pair[0]) == pytest.approx(1)


def test_psnr_of_one_unit():
    assert psnr(np.zeros((4, 4)), np.ones((4, 4))) == pytest.approx(48.1308, abs=1e-4)


def test_rgb_to_y_equals_skimage(rng):
    color = pytest.importorskip("skimage.color")
    image = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert np.allclose(rgb_to_y(image), color.rgb2ycbcr(image)[..., 0], atol=1e-9)


def test_rgb_to_y_of_grey_equals_replicated_grey(rng):
    grey = rng.integers(0, 256, (9, 7), dtype=np.uint8)
    assert np.allclose(rgb_to_y(grey), rgb_to_y(np.stack([grey] * 3, axis=2)))
    assert rgb_to_y(np.array([[0, 255]], np.uint8)).round(9).tolist() == [[16, 235]]


def test_crop_border_cuts_all_sides():
    image = np.arange(30.0).reshape(5, 6)
    assert crop_border(image, 1).tolist() == image[1:-1, 1:-1].tolist()
    assert crop_border(image, 0).shape == (5, 6)
