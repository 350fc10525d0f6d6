import numpy as np
import pytest

from scales_cli.imaging.files import read_image
from scales_cli.imaging.resize import contributions, cubic, imresize


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_imresize_equals_matlab(benchmarks, scale):
    """Every LR picture of Set5 was made by MATLAB itself."""
    files = sorted((benchmarks / "Set5" / f"LRbicx{scale}").glob("*.png"))
    assert len(files) == 5
    for file in files:
        hr = read_image(benchmarks / "Set5" / "HR" / file.name).pixels
        expected = read_image(file).pixels
        height, width = expected.shape[:2]
        lr = imresize(hr[: height * scale, : width * scale], 1 / scale)
        assert np.array_equal(lr, expected), file.name


def test_imresize_enlarges_by_keys_kernel():
    """Half-pixel phases of x2, by hand: weights (-9, 111, 29, -3) / 128, mirrored at the edges."""
    row = np.array([[10.0, 20.0, 40.0, 80.0]])
    large = imresize(row, 2, (1, 8))
    assert large[0, 3] == pytest.approx((-3 * 10 + 29 * 40 + 111 * 20 - 9 * 10) / 128 - (80 - 10) * 3 / 128)
    assert large[0, 0] == pytest.approx((29 * 10 + 111 * 10 - 9 * 20 - 3 * 20) / 128)


def test_imresize_keeps_flat_pictures(rng):
    for scale in (1 / 4, 1 / 3, 1 / 2, 2, 3, 4):
        for value in rng.integers(0, 256, 4):
            image = np.full((24, 36, 3), value, np.uint8)
            assert (imresize(image, scale) == value).all()


def test_imresize_rounds_between_the_passes(rng):
    image = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    rows = imresize(image.astype(np.float64), 1 / 2, (16, 16))
    twice = imresize(image, 1 / 2)
    assert twice.dtype == np.uint8
    assert np.abs(rows - twice).max() < 1.6  # at most one unit more than rounding once


def test_imresize_takes_tiny_pictures():
    image = np.array([[7]], np.uint8)
    assert (imresize(image, 4) == 7).all()
    assert imresize(image, 4).shape == (4, 4)


def test_contributions_sum_to_one():
    for length, scale in ((1, 4.0), (2, 3.0), (9, 0.5), (12, 0.25)):
        weights, index = contributions(length, scale, round(length * scale) or 1)
        assert np.allclose(weights.sum(axis=1), 1)
        assert index.min() >= 0
        assert index.max() < length


def test_cubic_interpolates():
    assert np.array_equal(cubic(np.array([0.0, 1.0, -1.0, 2.0, 3.0])), [1, 0, 0, 0, 0])
    assert cubic(np.array([0.5, 1.5])).tolist() == [0.5625, -0.0625]
