"""Packed weights without a training, for timing sizes that have none yet and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import LARGEST_TAIL_WEIGHT, NetworkSpec
from scales_cli.weights.packed import GATE, PackedWeights


def random_model(spec: NetworkSpec) -> PackedWeights:
    """A model of any backbone; torch makes those that only torch runs."""
    if spec.runs_natively:
        return random_weights(spec)
    import torch

    from scales_cli.engine.torch.packing import pack
    from scales_cli.networks.build import build_network
    from scales_cli.networks.calibration import calibrate

    torch.manual_seed(0)
    network = build_network(spec)
    calibrate(network, torch.rand(1, spec.inputs, 32, 32))
    return pack(network, {})


def random_weights(spec: NetworkSpec, seed: int | np.random.Generator = 0, *, gate_taps: int = 5) -> PackedWeights:
    """Weights of trained magnitudes, so that features stay finite and every activation and gate does its work.

    Slopes are negative now and then. `gate_taps` is the length of the filter over the channels.
    """
    rng = np.random.default_rng(seed)
    layers, feats, outputs = spec.n_convs, spec.n_feats, spec.outputs

    def normal(*shape: int, std: float, mean: float = 0.0) -> NDArray[np.float32]:
        return rng.normal(mean, std, shape).astype(np.float32)

    head = {"head.weight": normal(feats, spec.inputs, 3, 3, std=0.2), "head.bias": normal(feats, std=0.1)}
    stacked: Mapping[str, NDArray[Any]] = {
        "bits": rng.integers(0, 2**64, (layers, feats, 3, 3, feats // 64), dtype=np.uint64),
        "threshold": normal(layers, feats, std=0.2),
        "scale": np.abs(normal(layers, feats, std=0.02)),
        "spatial": normal(layers, feats, std=0.2),
        "spatial_bias": normal(layers, std=0.5),
        GATE: normal(layers, gate_taps, std=0.5),
        "shift_in": normal(layers, feats, std=0.1),
        "slope": normal(layers, feats, std=0.4, mean=0.25),
        "shift_out": normal(layers, feats, std=0.1),
    }
    tail: dict[str, NDArray[Any]] = {
        "tail.weight": rng.integers(-LARGEST_TAIL_WEIGHT, LARGEST_TAIL_WEIGHT + 1, (outputs, feats, 3, 3), np.int8),
        "tail.gain": rng.uniform(16, 48, feats).astype(np.float32),
        "tail.scale": rng.uniform(1e-5, 2.5e-5, outputs).astype(np.float32),
        "tail.bias": normal(outputs, std=0.02),
    }
    tail["tail.weight"][:, 0, 1, 1] = LARGEST_TAIL_WEIGHT  # each output of a packed network has one of the largest
    body = {
        f"{layer}.{part}": values[index]
        for index, layer in enumerate(spec.native_stack)
        for part, values in stacked.items()
    }
    return PackedWeights(spec, head | body | tail)
