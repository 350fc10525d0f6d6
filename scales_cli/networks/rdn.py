"""RDN, the residual dense network (Zhang et al., CVPR 2018), in the light-tail form of E2FIF."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.layers.families import Layers
from scales_cli.networks.base import Network


class DenseBlock(nn.Module):
    """[B, F, H, W] -> the same: each convolution adds `growth` channels to what all later ones see.

    The last one's output skips the 1x1 fusion, which has no skip of its own because it narrows (E2FIF).
    """

    def __init__(self, n_feats: int, n_layers: int, growth: int, layers: Layers) -> None:
        super().__init__()
        if growth != n_feats:
            raise ValueError("the fusion's skip needs a growth of n_feats channels")
        self.convs = nn.ModuleList(layers.conv(n_feats + i * growth, growth) for i in range(n_layers))
        slope = self.convs[0].stream_slope
        self.activation = nn.Identity() if slope is None else nn.LeakyReLU(slope)
        self.fusion = layers.conv(n_feats + n_layers * growth, n_feats, 1)

    def forward(self, x: Tensor) -> Tensor:
        feats = [x]
        for conv in self.convs:
            feats.append(self.activation(conv(torch.cat(feats, dim=1))))
        return x + self.fusion(torch.cat(feats, dim=1)) + feats[-1]


class DenseBody(nn.Module):
    """A first convolution, the blocks, and the fusion of all their outputs by a 1x1 and a 3x3 convolution."""

    def __init__(self, spec: NetworkSpec, layers: Layers, n_layers: int, growth: int) -> None:
        super().__init__()
        n_feats = spec.n_feats
        self.first = layers.conv(n_feats)
        self.blocks = nn.ModuleList(DenseBlock(n_feats, n_layers, growth, layers) for _ in range(spec.n_blocks))
        self.fusion = nn.Sequential(layers.conv(spec.n_blocks * n_feats, n_feats, 1), layers.conv(n_feats))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        outputs = []
        for block in self.blocks:
            outputs.append(x := block(x))
        return self.fusion(torch.cat(outputs, dim=1))


class RDN(Network):
    """`Network` whose body is n_blocks dense blocks of n_layers convolutions: 8 by 8 and 64 channels as published."""

    def __init__(self, spec: NetworkSpec, layers: Layers, n_layers: int, growth: int) -> None:
        super().__init__(spec, lambda: DenseBody(spec, layers, n_layers, growth))
