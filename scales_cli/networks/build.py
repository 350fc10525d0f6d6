"""From a `NetworkSpec` to a network."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from scales_cli.config import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.layers.binary_conv import CONVS
from scales_cli.layers.rescaling import LayerwiseScalingFactor
from scales_cli.networks.srresnet import SRResNet

BACKBONES: dict[str, type[SRResNet]] = {"srresnet": SRResNet}


def build_network(spec: NetworkSpec) -> SRResNet:
    """A network with random weights; raises `UsageError` for an unknown backbone, convolution or option."""
    if spec.backbone not in BACKBONES:
        raise UsageError(f"unknown backbone {spec.backbone!r}", f"known are {', '.join(BACKBONES)}")
    if spec.conv not in CONVS:
        raise UsageError(f"unknown convolution {spec.conv!r}", f"known are {', '.join(CONVS)}")
    try:
        return BACKBONES[spec.backbone](spec, functools.partial(CONVS[spec.conv], **spec.conv_options))
    except (TypeError, ValueError) as error:
        raise UsageError(f"conv_options do not fit {spec.conv!r}: {error}", "see layers/binary_conv.py") from error


@torch.no_grad()
def calibrate(network: nn.Module, batch: Tensor) -> None:
    """Sets every layer-wise scaling factor from what reaches it on `batch`, first layer first."""
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: module.calibrate(*inputs))
        for module in network.modules()
        if isinstance(module, LayerwiseScalingFactor)
    ]
    network(batch)
    for hook in hooks:
        hook.remove()
