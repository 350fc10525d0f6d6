"""From a `NetworkSpec` to a network."""

from __future__ import annotations

from collections.abc import Callable

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.layers.families import Layers, choose_layers
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
