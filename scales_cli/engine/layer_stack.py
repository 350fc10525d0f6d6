"""The binary layers of a packed network as the native engine takes them: each of their parts stacked, [L, ...]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.weights.packed import GATE, PackedWeights, Tensors

NO_GATE = 2.0  # times sigmoid(0) makes 1: the packed form of a re-scaling that a layer does not have


def stack_layers(weights: PackedWeights) -> dict[str, NDArray[Any]]:
    """Arguments of `Network.from_tensors`: each layer with a filter over the channels, of as many taps as the longest.

    A layer without channel-wise re-scaling gets one that has no effect. Neither have the zeros around a shorter filter.
    """
    layers = [weights.layers[name] for name in weights.spec.native_stack]
    parts = ("bits", "threshold", "spatial", "spatial_bias", "shift_in", "slope", "shift_out")
    filters = [_filter(layer) for layer in layers]
    taps = max(taps.size for taps in filters)
    stacks: dict[str, list[NDArray[Any]]] = {
        **{part: [layer[part] for layer in layers] for part in parts},
        "weight_scale": [layer["scale"] if GATE in layer else NO_GATE * layer["scale"] for layer in layers],
        "channel": [np.pad(values, (taps - values.size) // 2) for values in filters],
    }
    return {name: np.ascontiguousarray(np.stack(arrays)) for name, arrays in stacks.items()}


def _filter(layer: Tensors) -> NDArray[np.float32]:
    return layer[GATE] if GATE in layer else np.zeros(1, np.float32)
