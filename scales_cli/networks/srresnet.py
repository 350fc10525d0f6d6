"""SRResNet in the light-tail form of E2FIF: nothing runs above the LR resolution but the pixel shuffle."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.config import NetworkSpec
from scales_cli.networks.blocks import BicubicUpsampler


class SRResNet(nn.Module):
    """[B, colors, H, W] in [0, 1] -> [B, colors, sH, sW]: the bicubic picture plus a learned residual.

    head conv3x3 -> 2 n_blocks body convolutions from `build_conv`, each with a skip of its own -> + head ->
    tail conv3x3 to colors s^2 channels -> pixel shuffle. Head and tail are full precision.
    """

    def __init__(self, spec: NetworkSpec, build_conv: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.spec = spec
        self.head = nn.Conv2d(spec.colors, spec.n_feats, 3, padding=1)
        self.body = nn.Sequential()
        for _ in range(spec.n_blocks):
            first, second = build_conv(spec.n_feats), build_conv(spec.n_feats)
            between = [] if first.stream_slope is None else [nn.LeakyReLU(first.stream_slope)]
            self.body.extend([first, *between, second])
        self.tail = nn.Conv2d(spec.n_feats, spec.colors * spec.scale**2, 3, padding=1)
        self.bicubic = BicubicUpsampler(spec.scale)
        with torch.no_grad():  # the first pictures are nearly the bicubic ones
            self.tail.weight.mul_(0.1)
            self.tail.bias.zero_()

    def residual(self, x: Tensor) -> Tensor:
        """What is added to the bicubic picture."""
        features = self.head(4 * x - 2)
        return functional.pixel_shuffle(self.tail(self.body(features) + features), self.spec.scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.bicubic(x) + self.residual(x)
