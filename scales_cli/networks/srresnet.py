"""SRResNet in the light-tail form of E2FIF, and EDSR, which is larger: nothing runs above the LR resolution."""

from __future__ import annotations

from torch import nn

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.layers.families import Layers
from scales_cli.networks.base import Network


class SRResNet(Network):
    """`Network` whose body is 2 n_blocks convolutions in a row, each with a skip of its own."""

    def __init__(self, spec: NetworkSpec, layers: Layers) -> None:
        def build_body() -> nn.Sequential:
            body = nn.Sequential()
            for _ in range(spec.n_blocks):
                first, second = layers.conv(spec.n_feats), layers.conv(spec.n_feats)
                between = [] if first.stream_slope is None else [nn.LeakyReLU(first.stream_slope)]
                body.extend([first, *between, second])
            return body

        super().__init__(spec, build_body)
