"""The convolution of signs, and the correlation that is its gradient, against sums over shifted pictures."""

from __future__ import annotations

from itertools import pairwise

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
    ((2, 18, 18, 5), 7, 3),  # more positions than a correlation takes at once
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
    rows = shape[0] * shape[1]
    for begin, end in pairwise([0, rows // 3, rows] if rows > 2 else [0, rows]):
        native.convolve_signs(codes, zero, weights, begin, end, out, isa)
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": np.ones((3, 2, 2, 2), np.int8)}, "odd"),
        ({"weights": np.ones((3, 2, 17, 17), np.int8)}, "1 to 15 wide"),
        ({"weights": np.zeros((3, 2, 3, 3), np.int8)}, "signs"),
        ({"zero": 256}, "zero"),
        ({"end": 5}, "rows"),
        ({"begin": 4}, "rows"),
    ],
)
def test_convolution_refuses(change: dict[str, object], words: str) -> None:
    arguments = {"codes": np.zeros((1, 4, 4, 2), np.uint8), "zero": 1, "begin": 0, "end": 4}
    arguments |= {"weights": np.ones((3, 2, 3, 3), np.int8), "out": np.zeros((1, 4, 4, 3), np.float32)}
    native.convolve_signs(**arguments)
    with pytest.raises(ValueError, match=words):
        native.convolve_signs(**arguments | change)


@pytest.mark.parametrize(
    ("codes", "gradients", "words"),
    [
        (np.full((1, 4, 4, 1), 3, np.uint8), np.zeros((1, 4, 4, 1), np.int8), "0 to 2"),
        (np.zeros((1, 4, 4, 1), np.uint8), np.full((1, 4, 4, 1), -128, np.int8), "-127"),
        (np.zeros((9, 1, 2**20, 1), np.uint8), np.zeros((9, 1, 2**20, 1), np.int8), "fewer than"),
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros((0, 4, 4, 1), np.int8), "a picture"),
    ],
)
def test_correlation_refuses(codes: NDArray[np.uint8], gradients: NDArray[np.int8], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        native.correlate_signs(codes, gradients, np.zeros((1, 1, 3, 3), np.int32))


def test_a_table_says_whether_it_is_fast() -> None:
    isas = native.available_isas()
    assert {isa for isa in isas if native.byte_products_pay(isa)} == {"avx2", "avx512bw", "avx512"} & set(isas)
