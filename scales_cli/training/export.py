"""From a trained network to the packed 1-bit file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from scales_cli.networks.build import build_network
from scales_cli.networks.srresnet import SRResNet
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.weights.packed import PackedWeights


def export_packed(source: Checkpoint, path: Path, psnr: Mapping[str, Any] | None = None) -> PackedWeights:
    """Writes the run's averaged network as a packed file with its model card; `psnr` are results per benchmark."""
    network = build_network(source.config.network)
    network.load_state_dict(source.ema)
    weights = pack(network, model_card(source) | {"psnr": dict(psnr or {})})
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
    scales = [layer.binarize.factor() * layer.weight_scale() for layer in layers]
    gates = [layer.spatial.gate_factor * layer.channel.gate_factor for layer in layers]
    return PackedWeights(
        spec=network.spec,
        card=card,
        head_weight=_array(network.head.weight),
        head_bias=_array(network.head.bias),
        bits=np.stack([pack_bits(layer.weight, scale) for layer, scale in zip(layers, scales, strict=True)]),
        threshold=_stack(layer.binarize.beta for layer in layers),
        scale=_stack(scale.abs() * gate for scale, gate in zip(scales, gates, strict=True)),
        spatial=_stack(layer.spatial.weight for layer in layers),
        spatial_bias=_stack(layer.spatial.bias for layer in layers),
        channel=_stack(layer.channel.weight for layer in layers),
        **{
            name: np.stack([activation_parameters(layer)[name] for layer in layers])
            for name in ("shift_in", "slope", "shift_out")
        },
        tail_weight=_array(network.tail.weight),
        tail_bias=_array(network.tail.bias),
    )


def pack_bits(weight: Tensor, scale: Tensor) -> NDArray[np.uint64]:
    """Signs of a [Co, Ci, 3, 3] weight, turned where `scale` [Co] is negative, as words [Co, 3, 3, Ci / 64]."""
    positive = (weight >= 0) == (scale >= 0).view(-1, 1, 1, 1)
    bits = positive.permute(0, 2, 3, 1).cpu().numpy()
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


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


def _stack(values: Any) -> NDArray[np.float32]:
    return np.stack([_array(value) for value in values])
