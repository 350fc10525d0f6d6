"""From a torch network to packed weights, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scales_cli.engine.layer_stack import NO_GATE
from scales_cli.errors import UsageError, WeightsError
from scales_cli.layers.activation import RPReLU
from scales_cli.layers.binary_layer import BinaryLayer
from scales_cli.layers.int8_conv import Int8Conv2d
from scales_cli.layers.scales import ScalesConv2d, ScalesLinear
from scales_cli.networks.base import Network
from scales_cli.networks.build import build_network
from scales_cli.weights.packed import GATE, PackedWeights, Tensors, as_signs, as_words, unrounded

Arrays = dict[str, NDArray[Any]]


def pack(network: Network, card: Mapping[str, Any]) -> PackedWeights:
    """Folds each binary layer for inference; raises `UsageError` if the body is not of SCALES layers.

    A learned weight scale may be negative: its sign goes into the bits, so that the packed scale is a magnitude.
    """
    packed: dict[str, Arrays] = {}
    for name, module in network.named_modules():
        if isinstance(module, ScalesConv2d):
            packed[name] = pack_conv(module)
        elif isinstance(module, ScalesLinear):
            packed[name] = pack_linear(module)
        elif isinstance(module, Int8Conv2d):
            packed[name] = pack_rounded(module)
        elif isinstance(module, BinaryLayer):
            packed.clear()
            break
    if not packed:
        raise UsageError(f"a {network.spec.layers!r} network has no packed form", 'train one with layers = "scales"')
    others = {
        name: _array(value)
        for name, value in network.state_dict().items()
        if not any(name.startswith(f"{layer}.") for layer in packed)
    }
    layers = {f"{layer}.{part}": value for layer, parts in packed.items() for part, value in parts.items()}
    return PackedWeights(network.spec, layers | others, card)


def pack_conv(layer: ScalesConv2d) -> Arrays:
    """`channel.weight` is of layers with a channel-wise re-scaling only."""
    arrays = _binary_tensors(layer, layer.weight.permute(0, 2, 3, 1)) | activation_parameters(layer)
    if layer.channel is not None:
        arrays["scale"] *= np.float32(layer.channel.gate_factor)
        arrays[GATE] = _array(layer.channel.weight)
    return arrays


def pack_linear(layer: ScalesLinear) -> Arrays:
    return _binary_tensors(layer, layer.weight) | {"bias": _array(layer.bias)}


def pack_rounded(layer: Int8Conv2d) -> Arrays:
    weight, scale = layer.rounded()
    parts = {"gain": layer.gain, "scale": scale, "bias": layer.bias}
    return {"weight": _array(weight).astype(np.int8)} | {name: _array(value) for name, value in parts.items()}


def _binary_tensors(layer: ScalesConv2d | ScalesLinear, weight: Tensor) -> Arrays:
    """What both kinds have; `weight` is [Co, ..., Ci]."""
    scale, n_feats = layer.branch_scale(), weight.shape[-1]
    positive = (weight >= 0) == (scale >= 0).view(-1, *[1] * (weight.dim() - 1))
    zeros = torch.zeros(n_feats)
    spatial = layer.spatial
    factor = NO_GATE if spatial is None else spatial.gate_factor
    return {
        "bits": as_words(positive.cpu().numpy()),
        "threshold": _array(zeros if layer.binarize is None else layer.binarize.beta),
        "scale": _array(scale.abs() * factor),
        "spatial": _array(zeros if spatial is None else spatial.weight),
        "spatial_bias": _array(zeros[0] if spatial is None else spatial.bias),
    }


def activation_parameters(layer: ScalesConv2d) -> Arrays:
    """The layer's activation as an RPReLU."""
    activation = layer.activation
    n_feats = layer.out_feats
    neutral = {"shift_in": np.zeros(n_feats), "slope": np.ones(n_feats), "shift_out": np.zeros(n_feats)}
    if isinstance(activation, RPReLU):
        own = {name: _array(getattr(activation, name)) for name in neutral}
    elif isinstance(activation, nn.PReLU):
        own = {"slope": _array(activation.weight)}
    else:
        own = {}
    return {name: np.asarray(value, dtype=np.float32) for name, value in (neutral | own).items()}


def unpack(weights: PackedWeights) -> Network:
    """The torch network that computes what the packed one does: alpha = 1, weights of +-1, all in the learned scale."""
    spec, state = weights.spec, dict(weights.tensors)
    always = {"layerwise": True, "spatial": True}  # packed layers have these parts, some of them neutral
    conv_options = {**spec.conv_options, **always, "activation": "rprelu", "weight_scale": "learned"}
    linear_options = {**spec.linear_options, **always} if spec.is_transformer else {}
    network = build_network(dataclasses.replace(spec, conv_options=conv_options, linear_options=linear_options))
    try:
        for name, module in network.named_modules():
            if isinstance(module, (ScalesConv2d, ScalesLinear)):
                packed = {key: state.pop(f"{name}.{key}") for key in _FOLDED if f"{name}.{key}" in state}
                state |= _unpack_layer(module, name, packed)
            elif isinstance(module, Int8Conv2d):
                state[f"{name}.weight"] = unrounded(weights, name)
                del state[f"{name}.scale"]
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    except (KeyError, RuntimeError) as error:
        raise WeightsError("its tensors are not those of its network", "export the model again") from error
    return network


_FOLDED = ("bits", "threshold", "scale", "spatial", "spatial_bias", "shift_in", "slope", "shift_out")


def _unpack_layer(layer: ScalesConv2d | ScalesLinear, name: str, packed: Tensors) -> Tensors:
    """The layer's parameters but those that packing leaves as they are."""
    gates = 1.0
    for gate in (layer.spatial, getattr(layer, "channel", None)):
        gates *= 1.0 if gate is None else gate.gate_factor
    weight = as_signs(packed["bits"], layer.weight.shape[1])
    state: Arrays = {
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


def _array(value: Tensor) -> NDArray[np.float32]:
    return value.detach().to("cpu", torch.float32).contiguous().numpy()
