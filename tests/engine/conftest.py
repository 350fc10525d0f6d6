"""The packed network in plain numpy float64, written from the equations in scales_cli/weights/packed.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from scales_cli.weights.packed import PackedWeights

Doubles = NDArray[np.float64]


def conv3x3(x: Doubles, weight: Doubles) -> Doubles:
    """x [C, H, W], weight [O, C, 3, 3], zero padding."""
    _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((weight.shape[0], height, width))
    for ky in range(3):
        for kx in range(3):
            out += np.tensordot(weight[:, :, ky, kx], padded[:, ky : ky + height, kx : kx + width], 1)
    return out


def sigmoid(t: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-t))


def unpack_signs(bits: NDArray[np.uint64]) -> Doubles:
    """[..., W] words to [..., 64 W] values of +-1."""
    shifts = np.arange(64, dtype=np.uint64)
    ones = (bits[..., None] >> shifts) & np.uint64(1)
    return 2.0 * ones.reshape(*bits.shape[:-1], -1) - 1.0


def run_network(weights: PackedWeights, planes: NDArray[np.float32]) -> tuple[Doubles, Doubles, float]:
    """The residuals of planes and chroma, and how near an activation came to its threshold: it may flip in fp32."""
    scale, colors = weights.spec.scale, weights.spec.colors
    head = conv3x3(4.0 * planes.astype(np.float64) - 2, weights.tensors["head.weight"].astype(np.float64))
    head += weights.tensors["head.bias"][:, None, None]
    x = head
    margin = np.inf
    for layer in (weights.layers[name] for name in weights.spec.native_stack):
        distance = x - layer["threshold"][:, None, None]
        margin = min(margin, float(np.abs(distance).min()))
        signs = np.where(distance >= 0, 1.0, -1.0)
        kernel = np.moveaxis(unpack_signs(layer["bits"]), -1, 1)
        spatial = sigmoid(np.tensordot(layer["spatial"].astype(np.float64), x, 1) + layer["spatial_bias"])
        taps = layer["channel.weight"]
        mean = np.pad(x.mean((1, 2)), taps.size // 2)
        gate = sigmoid(np.correlate(mean, taps.astype(np.float64), "valid"))
        z = conv3x3(signs, kernel) * spatial * (layer["scale"] * gate)[:, None, None]
        z = z - layer["shift_in"][:, None, None]
        z = np.where(z >= 0, z, z * layer["slope"][:, None, None])
        x = x + z + layer["shift_out"][:, None, None]
    gain, scale_of_sums, bias = (weights.tensors[f"tail.{part}"][:, None, None] for part in ("gain", "scale", "bias"))
    steps = np.clip(np.round((x + head) * gain), -127, 127)
    out = conv3x3(steps, weights.tensors["tail.weight"].astype(np.float64)) * scale_of_sums + bias
    _, height, width = out.shape
    phases, chroma = out[: colors * scale**2], out[colors * scale**2 :]
    phases = phases.reshape(colors, scale, scale, height, width).transpose(0, 3, 1, 4, 2)
    return phases.reshape(colors, scale * height, scale * width), chroma, margin


@pytest.fixture
def oracle() -> Callable[..., tuple[Doubles, Doubles, float]]:
    """`run_network`."""
    return run_network
