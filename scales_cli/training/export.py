"""From a trained network to the packed 1-bit file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scales_cli.engine.base import load_engine
from scales_cli.errors import UsageError
from scales_cli.evaluation.benchmarks import find_benchmark
from scales_cli.evaluation.runner import evaluate
from scales_cli.layers.activation import RPReLU
from scales_cli.layers.binary_conv import ScalesConv2d
from scales_cli.networks.srresnet import SRResNet
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.weights.packed import PackedWeights


def export_packed(source: Checkpoint, path: Path, psnr: Mapping[str, Any] | None = None) -> PackedWeights:
    """Writes the run's averaged network as a packed file with its model card; `psnr` are results per benchmark."""
    weights = pack(source.network(), model_card(source) | {"psnr": dict(psnr or {})})
    weights.save(path)
    return weights


def score_packed(
    weights: PackedWeights,
    folders: Sequence[str],
    threads: int | None = None,
    *,
    progress: Callable[[float], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Mean PSNR and SSIM of the native engine on benchmark folders, for the model card."""
    upscaler = Upscaler(load_engine(weights, threads=threads), threads=threads)
    report = evaluate(upscaler, [find_benchmark(folder, weights.spec.scale) for folder in folders], progress=progress)
    return {
        item.name: {"psnr": round(item.mean.psnr, 3), "ssim": round(item.mean.ssim, 4)} for item in report.benchmarks
    }


def model_card(source: Checkpoint) -> dict[str, Any]:
    """How the weights came to be; figures are the run's own records."""
    config, progress = source.config, source.progress
    return {
        "data": progress.data,
        "steps": progress.step,
        "seconds": round(progress.seconds),
        "device": progress.device,
        "training": config.to_dict(),
        "started_from": list(progress.history),
        "teacher": progress.teacher,
        "valid_psnr": None if progress.valid_psnr is None else round(progress.valid_psnr, 3),
        "licence": "Apache-2.0",
        "commit": progress.commit,
    }


def pack(network: SRResNet, card: Mapping[str, Any]) -> PackedWeights:
    """Folds each layer for inference (see `weights.packed`); raises `UsageError` if the body is not of SCALES layers.

    A learned weight scale may be negative: its sign goes into the bits, so that the packed scale is a magnitude.
    """
    layers = [layer for layer in network.body if isinstance(layer, ScalesConv2d)]
    if len(layers) < len(network.body):
        raise UsageError(f"a {network.spec.conv!r} network has no packed form", 'train one with conv = "scales"')
    scales = [layer.branch_scale() for layer in layers]
    return PackedWeights(
        spec=network.spec,
        card=card,
        head_weight=_array(network.head.weight),
        head_bias=_array(network.head.bias),
        bits=np.stack([pack_bits(layer.weight, scale) for layer, scale in zip(layers, scales, strict=True)]),
        scale=_stack(scale.abs() * gate_factor(layer) for scale, layer in zip(scales, layers, strict=True)),
        **_stack_all([rescaling_parameters(layer) for layer in layers]),
        **_stack_all([activation_parameters(layer) for layer in layers]),
        tail_weight=_array(network.tail.weight),
        tail_bias=_array(network.tail.bias),
    )


def pack_bits(weight: Tensor, scale: Tensor) -> NDArray[np.uint64]:
    """Signs of a [Co, Ci, 3, 3] weight, turned where `scale` [Co] is negative, as words [Co, 3, 3, Ci / 64]."""
    positive = (weight >= 0) == (scale >= 0).view(-1, 1, 1, 1)
    bits = positive.permute(0, 2, 3, 1).cpu().numpy()
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


NO_GATE = 2.0  # times sigmoid(0) makes 1: the packed form of a re-scaling that a layer does not have


def gate_factor(layer: ScalesConv2d) -> float:
    """What both sigmoids are multiplied by."""
    gates = (layer.spatial, layer.channel)
    return math.prod(NO_GATE if gate is None else gate.gate_factor for gate in gates)


def rescaling_parameters(layer: ScalesConv2d) -> dict[str, NDArray[np.float32]]:
    """Thresholds and the layers of both gates, zeros where the layer has none."""
    n_feats = layer.weight.shape[0]
    zeros = torch.zeros(n_feats)
    return {
        "threshold": _array(zeros if layer.binarize is None else layer.binarize.beta),
        "spatial": _array(zeros if layer.spatial is None else layer.spatial.weight),
        "spatial_bias": _array(zeros[0] if layer.spatial is None else layer.spatial.bias),
        "channel": _array(zeros[:1] if layer.channel is None else layer.channel.weight),
    }


def activation_parameters(layer: ScalesConv2d) -> dict[str, NDArray[np.float32]]:
    """The layer's activation as an RPReLU."""
    n_feats = layer.weight.shape[0]
    activation = layer.activation
    neutral = {"shift_in": np.zeros(n_feats), "slope": np.ones(n_feats), "shift_out": np.zeros(n_feats)}
    if isinstance(activation, RPReLU):
        own = {name: _array(getattr(activation, name)) for name in neutral}
    elif isinstance(activation, nn.PReLU):
        own = {"slope": _array(activation.weight)}
    else:
        own = {}
    return {name: np.asarray(value, dtype=np.float32) for name, value in (neutral | own).items()}


def _array(value: Tensor) -> NDArray[np.float32]:
    return value.detach().to("cpu", torch.float32).contiguous().numpy()


def _stack(values: Iterable[Tensor]) -> NDArray[np.float32]:
    return np.stack([_array(value) for value in values])


def _stack_all(layers: Sequence[dict[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    return {name: np.stack([layer[name] for layer in layers]) for name in layers[0]}
