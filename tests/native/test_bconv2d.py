"""The bare binary convolution against a float one with zero padding."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

native = pytest.importorskip("scales_cli.engine._native")


def pack_weights(signs: NDArray[np.int8]) -> NDArray[np.uint64]:
    """[O, C, 3, 3] of +-1 to words [O, 3, 3, ceil(C / 64)]; pad bits are set, to see that they are ignored."""
    outputs, channels = signs.shape[:2]
    words = -(-channels // 64)
    bits = np.ones((outputs, 64 * words, 3, 3), np.uint64)
    bits[:, :channels] = signs > 0
    bits = bits.reshape(outputs, words, 64, 3, 3) << np.arange(64, dtype=np.uint64)[:, None, None]
    return np.ascontiguousarray(np.moveaxis(np.bitwise_or.reduce(bits, axis=2), 1, -1))


def float_convolution(x: NDArray[np.int8], weight: NDArray[np.int8]) -> NDArray[np.int64]:
    _, height, width = x.shape
    padded = np.pad(x.astype(np.int64), ((0, 0), (1, 1), (1, 1)))
    return sum(
        np.tensordot(weight[:, :, ky, kx].astype(np.int64), padded[:, ky : ky + height, kx : kx + width], 1)
        for ky in range(3)
        for kx in range(3)
    )


@pytest.mark.parametrize("channels", [1, 63, 64, 65, 130])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 1), (3, 15), (2, 16), (4, 17), (7, 33), (5, 70)])
def test_bconv2d_equals_float_convolution(
    isa: str, channels: int, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    x = rng.choice(np.array([-1, 1], np.int8), (channels, *shape))
    weight = rng.choice(np.array([-1, 1], np.int8), (5, channels, 3, 3))
    packed = native.pack_activations(x)
    if channels % 64:
        packed[:, -1] |= np.uint64(2**64 - 2 ** (channels % 64))  # pad bits are ignored here too
    sums = native.bconv2d(packed, pack_weights(weight), channels, isa)
    np.testing.assert_array_equal(sums, float_convolution(x, weight))


@pytest.mark.parametrize("channels", [64, 128])
@pytest.mark.parametrize("first_width", range(1, 71, 10))
def test_bconv2d_of_every_width_equals_float_convolution(
    channels: int, first_width: int, rng: np.random.Generator
) -> None:
    weight = rng.choice(np.array([-1, 1], np.int8), (3, channels, 3, 3))
    for width in range(first_width, first_width + 10):
        x = rng.choice(np.array([-1, 1], np.int8), (channels, int(rng.integers(1, 5)), width))
        packed, expected = native.pack_activations(x), float_convolution(x, weight)
        for isa in native.available_isas():
            sums = native.bconv2d(packed, pack_weights(weight), channels, isa)
            np.testing.assert_array_equal(sums, expected, err_msg=f"{isa}, width {width}")


def test_pack_activations_takes_zero_as_plus_one() -> None:
    packed = native.pack_activations(np.array([[[-1]], [[0]], [[1]]], np.int8))
    assert packed.tolist() == [[[0b110]]]


def test_bconv2d_refuses_other_shapes(rng: np.random.Generator) -> None:
    packed = np.zeros((4, 1, 6), np.uint64)
    weights = np.zeros((5, 3, 3, 1), np.uint64)
    for bad_packed, bad_weights, channels in [
        (packed, weights, 65),
        (packed, weights, 0),
        (packed, weights, 2000),
        (packed, weights[:, :2], 64),
        (packed[:0], weights, 64),
        (packed[:, :, :0], weights, 64),
        (packed, weights[:0], 64),
    ]:
        with pytest.raises(ValueError, match=r"wrong shape|must be"):
            native.bconv2d(np.ascontiguousarray(bad_packed), np.ascontiguousarray(bad_weights), channels)


def test_bconv2d_converts_nothing_silently() -> None:
    with pytest.raises(TypeError):
        native.bconv2d(np.zeros((4, 1, 6), np.int64), np.zeros((5, 3, 3, 1), np.uint64), 64)
    with pytest.raises(TypeError):
        native.bconv2d(np.zeros((4, 1, 12), np.uint64)[:, :, ::2], np.zeros((5, 3, 3, 1), np.uint64), 64)


def test_xor_popcount_rate_is_a_rate(isa: str) -> None:
    assert native.xor_popcount_rate(1e-3, isa) > 1e6


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_xor_popcount_rate_refuses_other_times(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        native.xor_popcount_rate(seconds)
