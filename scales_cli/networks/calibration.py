"""Layer-wise scaling factors, and the range of an 8-bit tail, from what reaches them on a batch of pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scales_cli.layers.int8_conv import Int8Conv2d
from scales_cli.layers.rescaling import LayerwiseScalingFactor
from scales_cli.layers.scales import ScalesConv2d, ScalesLinear


@torch.no_grad()
def unfold_factors(network: nn.Module, batch: Tensor) -> None:
    """Sets the factors as `calibrate` does and divides the weight scales by them.

    So the network goes on computing the same, and what is near a threshold has a gradient. Packed models have factors
    of 1. They know the range of their tail, which stays.
    """

    def unfold(layer: ScalesConv2d | ScalesLinear, inputs: tuple[Tensor]) -> None:
        if layer.binarize is not None and layer.scale is not None:
            before = layer.binarize.factor()
            layer.binarize.calibrate(*inputs)
            layer.scale.mul_(before / layer.binarize.factor())

    layers = [module for module in network.modules() if isinstance(module, (ScalesConv2d, ScalesLinear))]
    hooks = [layer.register_forward_pre_hook(unfold) for layer in layers]
    network(batch)
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def calibrate(network: nn.Module, batch: Tensor) -> None:
    """Sets every layer-wise scaling factor and range from what reaches it on `batch`, first layer first."""
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: module.calibrate(*inputs))
        for module in network.modules()
        if isinstance(module, (LayerwiseScalingFactor, Int8Conv2d))
    ]
    network(batch)
    for hook in hooks:
        hook.remove()
