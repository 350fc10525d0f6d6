"""From a `NetworkSpec` to a network."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from scales_cli.config import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.layers.bbcu import BBCUConv2d
from scales_cli.layers.binary_conv import BinaryConv2d, FloatConv2d, ScalesConv2d
from scales_cli.layers.btm import BTMConv2d
from scales_cli.layers.e2fif import E2FIFConv2d
from scales_cli.layers.reactnet import ReActNetConv2d
from scales_cli.layers.rescaling import LayerwiseScalingFactor
from scales_cli.networks.srresnet import SRResNet

CONVS: dict[str, Callable[..., nn.Module]] = {
    "scales": ScalesConv2d,
    "binary": BinaryConv2d,
    "e2fif": E2FIFConv2d,
    "reactnet": ReActNetConv2d,
    "bbcu": BBCUConv2d,
    "btm": BTMConv2d,
    "float": FloatConv2d,
}
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
        raise UsageError(f"conv_options do not fit {spec.conv!r}: {error}", "see its module in layers/") from error


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
