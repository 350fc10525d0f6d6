"""The reference engine: a network in torch, on any of its devices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from scales_cli.config import NetworkSpec
from scales_cli.engine.base import Planes, PlaneSource, Progress
from scales_cli.engine.tiling import Tiling
from scales_cli.layers.binary_conv import ScalesConv2d
from scales_cli.networks.build import build_network
from scales_cli.networks.srresnet import SRResNet
from scales_cli.weights.packed import PackedWeights


class TorchEngine:
    """Runs a network in float32; unpacked, the same residual as `NativeEngine`'s up to rounding at thresholds."""

    def __init__(self, network: SRResNet, device: str = "cpu") -> None:
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


def unpack(weights: PackedWeights) -> SRResNet:
    """The torch network that computes what the packed one does: alpha = 1, weights of +-1, all in the learned scale."""
    options: dict[str, int | float | str | bool] = {"channel_kernel": weights.channel.shape[1]}
    spec = NetworkSpec(**weights.spec.to_dict() | {"conv": "scales", "conv_options": options})
    network = build_network(spec)
    state = {
        "head.weight": weights.head_weight,
        "head.bias": weights.head_bias,
        "tail.weight": weights.tail_weight,
        "tail.bias": weights.tail_bias,
    }
    for index, layer in enumerate(network.body):
        assert isinstance(layer, ScalesConv2d)
        assert layer.spatial is not None
        assert layer.channel is not None
        gates = layer.spatial.gate_factor * layer.channel.gate_factor
        state |= {
            f"body.{index}.{name}": np.asarray(value, dtype=np.float32)
            for name, value in {
                "weight": unpack_bits(weights.bits[index]),
                "scale": weights.scale[index] / gates,
                "binarize.alpha": np.ones(()),
                "binarize.beta": weights.threshold[index],
                "spatial.weight": weights.spatial[index],
                "spatial.bias": weights.spatial_bias[index],
                "channel.weight": weights.channel[index],
                "activation.shift_in": weights.shift_in[index],
                "activation.slope": weights.slope[index],
                "activation.shift_out": weights.shift_out[index],
            }.items()
        }
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    return network


def unpack_bits(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Words [Co, 3, 3, Ci / 64] -> +-1 weights [Co, Ci, 3, 3]."""
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    return np.moveaxis(bits, -1, 1).astype(np.float32) * 2 - 1
