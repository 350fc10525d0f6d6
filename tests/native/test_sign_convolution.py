"""The convolution of signs, and the correlation that is its gradient, against sums over shifted pictures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

native = pytest.importorskip("scales_cli.engine._native")

SHAPES = [
    ((2, 5, 7, 3), 4, 3),
    ((1, 1, 1, 1), 1, 1),
    ((2, 6, 17, 64), 64, 3),
    ((1, 9, 4, 70), 33, 5),
    ((3, 2, 3, 2), 40, 1),
]


def taps(picture: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """What lies under each tap of the kernel, zeros around the picture: [k, k, B, H, W, C]."""
    margin, (_, height, width, _) = size // 2, picture.shape
    padded = np.pad(picture, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    rows = [padded[:, top : top + height] for top in range(size)]
    return np.stack([np.stack([row[:, :, left : left + width] for left in range(size)]) for row in rows])


def signs(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    return rng.choice(np.array([-1, 1], np.int8), shape)


@pytest.mark.parametrize(("shape", "outputs", "size"), SHAPES)
@pytest.mark.parametrize("zero", [1, 128])
def test_convolution(
    isa: str, zero: int, shape: tuple[int, ...], outputs: int, size: int, rng: np.random.Generator
) -> None:
    codes = rng.integers(0, 2 * zero, shape, np.uint8)
    weights = signs(rng, (outputs, shape[-1], size, size))
    out = np.full((*shape[:3], outputs), np.nan, np.float32)
    native.convolve_signs(codes, zero, weights, out, isa)
    expected = np.einsum("yxbhwi,oiyx->bhwo", taps(codes.astype(np.int64) - zero, size), weights.astype(np.int64))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(("shape", "outputs", "size"), SHAPES)
def test_correlation(isa: str, shape: tuple[int, ...], outputs: int, size: int, rng: np.random.Generator) -> None:
    codes = rng.choice(np.array([0, 2], np.uint8), shape)
    gradients = rng.integers(-127, 128, (*shape[:3], outputs), np.int8)
    out = np.full((outputs, shape[-1], size, size), -1, np.int32)
    native.correlate_signs(codes, gradients, out, isa)
    expected = np.einsum("yxbhwi,bhwo->oiyx", taps(codes.astype(np.int64) - 1, size), gradients.astype(np.int64))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("size", [0, 2, 17])
def test_kernels_have_a_centre_and_few_taps(size: int) -> None:
    codes, weights = np.zeros((1, 4, 4, 2), np.uint8), np.ones((3, 2, size, size), np.int8)
    with pytest.raises(ValueError, match="odd"):
        native.convolve_signs(codes, 1, weights, np.zeros((1, 4, 4, 3), np.float32))


def test_pictures_whose_sums_might_overflow_are_refused() -> None:
    codes, gradients = np.zeros((9, 1, 2**20, 1), np.uint8), np.zeros((9, 1, 2**20, 1), np.int8)
    with pytest.raises(ValueError, match="fewer than"):
        native.correlate_signs(codes, gradients, np.zeros((1, 1, 3, 3), np.int32))


def test_a_table_says_whether_it_is_fast() -> None:
    assert not native.multiplies_bytes("reference")
    assert {isa for isa in native.available_isas() if native.multiplies_bytes(isa)} <= {"avx2", "avx512bw", "avx512"}
