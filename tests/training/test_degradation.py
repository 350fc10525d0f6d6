import dataclasses

import numpy as np
import pytest

from scales_cli.imaging.metrics import psnr
from scales_cli.imaging.resize import imresize
from scales_cli.training.config import Degradation
from scales_cli.training.degradation import KERNELS, Degrader, gaussian, variants
from scales_cli.training.drawings import draw_tiles

NOTHING = Degradation(blur=0, noise=0, sharpen=0, jpeg=0, webp=0, jitter=0, kernels={"bicubic": 1.0})


@pytest.fixture
def hr(rng):
    """A picture with edges and a flat part, 96 x 80."""
    large = imresize(rng.integers(0, 256, (12, 10, 3), dtype=np.uint8), 8)
    large[:40, :40] = (120, 130, 140)
    return large


def degrade(hr, seed=0, **settings):
    return Degrader(dataclasses.replace(NOTHING, **settings), 4, np.random.default_rng(seed)).degrade(hr)


def test_nothing_leaves_the_bicubic_reduction(hr):
    lr, strength = degrade(hr)
    assert lr.shape == (24, 20, 3)
    assert np.abs(lr.astype(int) - imresize(hr, 1 / 4)).max() <= 2  # MATLAB's rounds between the axes
    assert strength == pytest.approx(0.02)


def test_the_first_variant_is_the_clean_one_and_the_seed_decides_the_others(hr):
    first, second = (list(variants(hr, 4, Degradation(), (7, 1))) for _ in range(2))
    assert np.array_equal(first[0][0], imresize(hr, 1 / 4))
    assert first[0][1] == 0
    for (one, strength), (other, same) in zip(first, second, strict=True):
        assert np.array_equal(one, other)
        assert strength == same
    assert len({lr.tobytes() for lr, _ in first}) == len(first)


@pytest.mark.parametrize("quality", [25, 60, 95])
def test_strength_of_jpeg_follows_its_quality(hr, quality):
    lr, strength = degrade(hr, jpeg=1, jpeg_twice=0, jpeg_quality=(quality, quality))
    assert strength == pytest.approx((100 - quality) / 75)
    assert not np.array_equal(lr, degrade(hr)[0])


@pytest.mark.parametrize("resized", [0, 1])
def test_a_picture_coded_twice_is_as_bad_as_the_worse_coding(hr, resized):
    settings = {"jpeg": 1, "jpeg_twice": 1, "resized": resized, "first_quality": (40, 40), "jpeg_quality": (90, 90)}
    lr, strength = degrade(hr, **settings)
    assert strength == pytest.approx(60 / 75)
    assert lr.shape == (24, 20, 3)


def test_blocks_of_jpeg_begin_anywhere(hr):
    seen = {
        degrade(hr, seed, jpeg=1, jpeg_twice=0, jpeg_quality=(30, 30), subsampled=0)[0].tobytes() for seed in range(30)
    }
    assert len(seen) > 20


@pytest.mark.parametrize(("grey", "expected"), [(1.0, 10.0), (0.0, 10.0 * 0.668)])
def test_noise_has_its_sigma_and_its_strength_is_that_of_luma(grey, expected):
    flat = np.full((400, 400, 3), 128, np.uint8)
    settings = {"noise": 1, "strong_noise": 0, "signal_noise": 0, "correlated_noise": 0, "grey_noise": grey}
    lr, strength = degrade(flat, noise_sigma=(10, 10), **settings)
    assert lr.reshape(-1, 3).std(axis=0) == pytest.approx(10, rel=0.05)
    assert strength == pytest.approx(min(1, expected / 10), rel=0.05)
    assert (np.ptp(lr, axis=2).max() == 0) == bool(grey)


def test_noise_of_the_light_grows_with_it_and_correlated_noise_is_smooth():
    dark_and_light = np.full((400, 800, 3), 20, np.uint8)
    dark_and_light[:, 400:] = 235
    settings = {"noise": 1, "strong_noise": 0, "grey_noise": 1, "noise_sigma": (5, 5)}
    lr, _ = degrade(dark_and_light, signal_noise=1, correlated_noise=0, **settings)
    assert lr[:, 105:].std() > 1.3 * lr[:, :95].std()
    rough, _ = degrade(dark_and_light, signal_noise=0, correlated_noise=0, **settings)
    smooth, _ = degrade(dark_and_light, signal_noise=0, correlated_noise=1, noise_blur_sigma=(0.7, 0.7), **settings)
    steps = [np.diff(picture[:, :90, 0].astype(float), axis=1).std() for picture in (rough, smooth)]
    assert steps[1] < 0.8 * steps[0]


def test_noise_that_is_blurred_by_nothing_stays(hr):
    noisy, _ = degrade(hr, noise=1, noise_sigma=(9, 9), correlated_noise=1, noise_blur_sigma=(0, 0))
    assert (noisy.astype(float) - degrade(hr)[0]).std() > 6


def test_blur_loses_detail_and_sharpening_adds_contrast(hr):
    clean = degrade(hr)[0].astype(float)
    blurred, strength = degrade(hr, blur=1, blur_sigma=(1, 1), anisotropic=0)
    assert strength == pytest.approx(0.3)
    assert blurred.std() < clean.std()
    assert degrade(hr, sharpen=1, sharpen_amount=(1, 1))[0].std() > clean.std()


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_keeps_size_place_and_light(name, hr):
    lr, _ = degrade(hr, kernels={name: 1})
    assert psnr(lr, degrade(hr)[0]) > 22
    assert (lr[:6, :6] == (120, 130, 140)).all()


def test_gaussian_is_turned_and_sums_to_one():
    kernel = gaussian(3.0, 1.0, 0.0)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel[kernel.shape[0] // 2].std() > 0
    assert np.allclose(gaussian(3.0, 1.0, np.pi / 2), kernel.T, atol=1e-6)


def test_drawn_tiles_are_repeatable_and_full_of_edges():
    first, second = list(draw_tiles(3, seed=1)), list(draw_tiles(3, seed=1))
    for tile, again in zip(first, second, strict=True):
        assert tile.shape == (480, 480, 3)
        assert np.array_equal(tile, again)
        assert (np.abs(np.diff(tile.astype(int), axis=1)) > 40).mean() > 0.003
