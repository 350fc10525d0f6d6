"""What the measures of artifacts see, on pictures made for it."""

import numpy as np
import pytest

from scales_cli.evaluation.artifacts import _distance, blockiness, character_errors, flat_error, has_reader
from scales_cli.evaluation.drawn import PAGE, drawn_pictures
from scales_cli.imaging.metrics import chroma_psnr


def test_flat_error_is_that_of_the_flat_part_alone(rng):
    hr = np.full((80, 80, 3), 120, np.uint8)
    hr[:, 30:] = rng.integers(0, 256, (80, 50, 1), dtype=np.uint8)
    clean = hr.copy()
    worse = hr.astype(int)
    worse[:, 30:] = 255 - worse[:, 30:]
    assert flat_error(hr, worse.astype(np.uint8), clean) == 0
    worse[:, :30] += 10
    assert flat_error(hr, worse.astype(np.uint8), clean) == pytest.approx(10 * 219 / 255, rel=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_blockiness_sees_steps_on_the_grid_only(scale, rng):
    noise = rng.normal(128, 10, (16 * scale, 24 * scale, 1)).repeat(3, axis=2)
    blocks = rng.normal(0, 40, (2, 3, 1)).repeat(8 * scale, axis=0).repeat(8 * scale, axis=1)
    assert blockiness(noise.clip(0, 255).astype(np.uint8), scale) == pytest.approx(1, abs=0.15)
    on_the_grid = (noise + blocks).clip(0, 255).astype(np.uint8)
    assert blockiness(on_the_grid, scale) > 1.25
    half = 4 * scale
    assert blockiness(np.roll(on_the_grid, (half, half), (0, 1)), scale) < 1.1


def test_chroma_psnr_sees_no_luma(rng):
    picture = rng.integers(40, 200, (30, 30, 3), dtype=np.uint8)
    assert chroma_psnr(picture, picture + 20, 2) > 200
    redder = picture.copy()
    redder[..., 0] += 20
    assert chroma_psnr(picture, redder, 2) == pytest.approx(10 * np.log10(255**2 / ((3.37**2 + 10**2) / 2)), abs=0.05)


def test_distance_counts_insertions_deletions_and_replacements():
    assert _distance("kitten", "sitting") == 3
    assert _distance("", "abc") == _distance("abc", "") == 3
    assert _distance("same", "same") == 0


@pytest.mark.skipif(not has_reader(), reason="needs tesseract")
def test_the_page_is_read():
    assert character_errors(drawn_pictures()["drawn-document"], PAGE) < 0.03
    assert character_errors(np.full((100, 100, 3), 255, np.uint8), PAGE) == 1
