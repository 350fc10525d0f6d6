"""Linear layers and convolutions on packed bits against products of floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

native = pytest.importorskip("scales_cli.engine._native")


class Layer:
    """A random layer, and what it computes in float64."""

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int, kernel: int, *, skip: bool = False) -> None:
        def normal(*shape: int) -> NDArray[np.float32]:
            return rng.normal(0, 0.5, shape).astype(np.float32)

        self.kernel, self.skip = kernel, skip
        self.signs = rng.choice(np.array([-1, 1], np.int8), (outputs, kernel, kernel, inputs))
        self.threshold, self.spatial = normal(inputs), normal(inputs)
        self.spatial_bias = float(normal()[()])
        self.scale, self.shift_in, self.slope, self.shift_out = (normal(outputs) for _ in range(4))
        self.scale = np.abs(self.scale) / np.float32(inputs)

    def native(self, isa: str) -> Any:
        outputs, kernel, _, inputs = self.signs.shape
        bits = np.ones((outputs, kernel**2, 64 * -(-inputs // 64)), np.uint8)  # pad bits are to be ignored
        bits[..., :inputs] = self.signs.reshape(outputs, kernel**2, inputs) > 0
        words = np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64)
        vectors = ("threshold", "scale", "spatial", "spatial_bias", "shift_in", "slope", "shift_out")
        return native.ChannelsLastLayer(
            bits=words, **{name: getattr(self, name) for name in vectors}, skip=self.skip, isa=isa
        )

    def expected(self, x: NDArray[np.float32], gate: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        height, width, _ = x.shape
        bits = np.where(x >= self.threshold, 1.0, -1.0)
        margin = self.kernel // 2
        around = np.pad(bits, ((margin, margin), (margin, margin), (0, 0)))
        sums = sum(
            around[dy : dy + height, dx : dx + width] @ self.signs[:, dy, dx].T.astype(float)
            for dy in range(self.kernel)
            for dx in range(self.kernel)
        )
        spatial = 1 / (1 + np.exp(-(x.astype(float) @ self.spatial + self.spatial_bias)))
        z = sums * spatial[..., None] * self.scale * (1 if gate is None else gate) - self.shift_in
        return np.where(z >= 0, z, z * self.slope) + self.shift_out + (x if self.skip else 0)


def run(layer: Any, x: NDArray[np.float32], outputs: int, **options: Any) -> NDArray[np.float32]:
    out = np.full((*x.shape[:2], outputs), np.nan, np.float32)
    for begin in range(0, len(x), 3):  # some rows at a time
        layer.run(x, begin, min(begin + 3, len(x)), out, **options)
    return out


def picture(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(1, 1), (15, 17), (16, 16), (60, 120), (64, 64), (65, 3), (130, 33), (576, 64)]
)
def test_channels_last_layer_equals_a_float_layer(
    isa: str, inputs: int, outputs: int, kernel: int, rng: np.random.Generator
) -> None:
    layer, x = Layer(rng, inputs, outputs, kernel), picture(rng, 5, 19, inputs)
    np.testing.assert_allclose(run(layer.native(isa), x, outputs), layer.expected(x), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kernel", [1, 3])
def test_skip_and_channel_gate(isa: str, kernel: int, rng: np.random.Generator) -> None:
    layer, x = Layer(rng, 60, 60, kernel, skip=True), picture(rng, 4, 7, 60)
    gate = rng.random(60, dtype=np.float32)
    np.testing.assert_allclose(run(layer.native(isa), x, 60, gate=gate), layer.expected(x, gate), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 4), (4, 5), (7, 33)])
def test_every_instruction_set_gives_the_same_bits(
    kernel: int, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    for inputs, outputs in [(1, 2), (31, 31), (60, 60), (64, 120), (120, 60), (200, 20)]:
        layer, x = Layer(rng, inputs, outputs, kernel, skip=inputs == outputs), picture(rng, *shape, inputs)
        expected = run(layer.native("reference"), x, outputs)
        for isa in native.available_isas():
            np.testing.assert_array_equal(run(layer.native(isa), x, outputs), expected, err_msg=isa)


def test_channels_last_layer_refuses_what_does_not_fit(rng: np.random.Generator) -> None:
    layer = Layer(rng, 20, 30, 1).native("reference")
    x, out = picture(rng, 2, 2, 20), np.empty((2, 2, 30), np.float32)
    with pytest.raises(ValueError, match="picture has the wrong shape"):
        layer.run(picture(rng, 2, 2, 21), 0, 2, out)
    with pytest.raises(ValueError, match="out has the wrong shape"):
        layer.run(x, 0, 2, np.empty((2, 2, 31), np.float32))
    with pytest.raises(ValueError, match="rows are outside the picture"):
        layer.run(x, 0, 3, out)
    with pytest.raises(ValueError, match="gate has the wrong shape"):
        layer.run(x, 0, 2, out, np.ones(29, np.float32))
    with pytest.raises(ValueError, match="as many outputs as inputs"):
        Layer(rng, 20, 30, 1, skip=True).native("reference")
