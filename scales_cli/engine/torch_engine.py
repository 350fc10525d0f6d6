"""The reference engine: a network in torch, on any of its devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scales_cli.config import NetworkSpec
from scales_cli.engine.base import Planes, PlaneSource, Progress
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import WeightsError
from scales_cli.layers.binary_conv import ScalesConv2d
from scales_cli.layers.binary_linear import ScalesLinear
from scales_cli.networks.base import Network
from scales_cli.networks.build import build_network
from scales_cli.weights.packed_file import PackedWeights, Tensors, as_signs
from scales_cli.weights.packed_srresnet import PackedSRResNet


class TorchEngine:
    """Runs a network in float32; unpacked, the same residual as `NativeEngine`'s up to rounding at thresholds."""

    def __init__(self, network: Network, device: str = "cpu") -> None:
        self.spec: NetworkSpec = network.spec
        self.device = torch.device(device)
        self.network = network.requires_grad_(False).eval()
        self.network.to(self.device, memory_format=torch.channels_last)

    def plan(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling | None, int]:
        """Pictures are passed as a whole, in whatever memory torch takes."""
        return None, 0

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Planes]:
        """All rows in one piece, whatever the tiling."""
        yield self.residual(source.read(0, source.height, 0, source.width))
        if progress is not None:
            progress(1.0)

    def residual(self, planes: Planes) -> Planes:
        """[colors, H, W] in [0, 1] -> what is to be added to the bicubic planes, [colors, sH, sW]."""
        with torch.inference_mode():
            residual = self.network.residual(torch.from_numpy(planes)[None].to(self.device))[0].cpu().numpy()
        return np.ascontiguousarray(residual)


def unpack(weights: PackedWeights) -> Network:
    """The torch network that computes what the packed one does: alpha = 1, weights of +-1, all in the learned scale."""
    spec, state = weights.spec, dict(weights.tensors())
    always = {"layerwise": True, "spatial": True}  # packed layers have these parts, some of them neutral
    conv_options = {**spec.conv_options, **always, "activation": "rprelu", "weight_scale": "learned"}
    if isinstance(weights, PackedSRResNet):
        conv_options = {"channel_kernel": weights.channel.shape[1]}
        state = split_body(state)
    linear_options = {**spec.linear_options, **always}
    network = build_network(dataclasses.replace(spec, conv_options=conv_options, linear_options=linear_options))
    try:
        for name, module in network.named_modules():
            if isinstance(module, (ScalesConv2d, ScalesLinear)):
                packed = {key: state.pop(f"{name}.{key}") for key in _PACKED if f"{name}.{key}" in state}
                state |= _unpack_layer(module, name, packed)
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"the tensors are not those of the network: {error}", "export the model again") from error
    return network


_PACKED = ("bits", "threshold", "scale", "spatial", "spatial_bias", "shift_in", "slope", "shift_out")


def _unpack_layer(layer: ScalesConv2d | ScalesLinear, name: str, packed: Tensors) -> Tensors:
    """The layer's parameters but those that packing leaves as they are."""
    gates = 1.0
    for gate in (layer.spatial, getattr(layer, "channel", None)):
        gates *= 1.0 if gate is None else gate.gate_factor
    weight = as_signs(packed["bits"], layer.weight.shape[1])
    state = {
        "weight": weight if weight.ndim == 2 else np.moveaxis(weight, -1, 1),
        "scale": packed["scale"] / np.float32(gates),
    }
    if layer.binarize is not None:
        state |= {"binarize.alpha": np.ones((), np.float32), "binarize.beta": packed["threshold"]}
    if layer.spatial is not None:
        state |= {"spatial.weight": packed["spatial"], "spatial.bias": packed["spatial_bias"]}
    if isinstance(layer, ScalesConv2d):
        state |= {f"activation.{key}": packed[key] for key in ("shift_in", "slope", "shift_out")}
    return {f"{name}.{key}": value for key, value in state.items()}


def split_body(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """An SRResNet's tensors with those of each layer apart, as in files of other backbones."""
    split: dict[str, NDArray[Any]] = {}
    for name, value in tensors.items():
        if not name.startswith("body."):
            split[name] = value
            continue
        part = name.removeprefix("body.")
        part = "channel.weight" if part == "channel" else part
        split |= {f"body.{index}.{part}": layer for index, layer in enumerate(value)}
    return split
