"""From a `NetworkSpec` to a network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.layers.families import Layers, choose_layers
from scales_cli.layers.rescaling import LayerwiseScalingFactor
from scales_cli.layers.scales import ScalesConv2d, ScalesLinear
from scales_cli.networks.base import Network
from scales_cli.networks.hat import HAT
from scales_cli.networks.rcan import RCAN
from scales_cli.networks.rdn import RDN
from scales_cli.networks.srresnet import SRResNet
from scales_cli.networks.swinir import SwinIR

NETWORKS: dict[str, Callable[..., Network]] = {
    "srresnet": SRResNet,
    "rdn": RDN,
    "rcan": RCAN,
    "swinir": SwinIR,
    "hat": HAT,
}


def build_network(spec: NetworkSpec, layers: Layers | None = None) -> Network:
    """A network with random weights, of the family `spec.layers` if not of other layers.

    Raises `UsageError` for an unknown family of layers and for options that do not fit.
    """
    try:
        return NETWORKS[spec.backbone](spec, layers or choose_layers(spec), **spec.dimensions)
    except ValueError as error:
        raise UsageError(
            f"options do not fit a {spec.backbone} of {spec.layers!r} layers: {error}",
            "see their modules in networks/ and layers/",
        ) from error


@torch.no_grad()
def unfold_factors(network: nn.Module, batch: Tensor) -> None:
    """Sets the factors as `calibrate` does and divides the weight scales by them.

    So the network goes on computing the same, and what is near a threshold has a gradient. Packed models have factors
    of 1.
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
    """Sets every layer-wise scaling factor from what reaches it on `batch`, first layer first."""
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: module.calibrate(*inputs))
        for module in network.modules()
        if isinstance(module, LayerwiseScalingFactor)
    ]
    network(batch)
    for hook in hooks:
        hook.remove()
