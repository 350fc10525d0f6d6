"""What every backbone is: a head, a body at LR resolution around which the features skip, and a tail."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.config import NetworkSpec
from scales_cli.networks.blocks import BicubicUpsampler


class Network(nn.Module):
    """[B, colors, H, W] in [0, 1] -> [B, colors, sH, sW]: the bicubic picture plus a learned residual.

    head conv3x3 -> body -> + head -> tail conv3x3 to colors s^2 channels -> pixel shuffle. Head and tail are full
    precision; the body maps [B, n_feats, H, W] to the same shape.
    """

    def __init__(self, spec: NetworkSpec, build_body: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.spec = spec
        self.head = nn.Conv2d(spec.colors, spec.n_feats, 3, padding=1)
        self.body = build_body()
        self.tail = self.build_tail()
        self.bicubic = BicubicUpsampler(spec.scale)

    def build_tail(self) -> nn.Module:
        """What follows the body. It starts small: the first pictures are nearly the bicubic ones."""
        tail = nn.Conv2d(self.spec.n_feats, self.spec.colors * self.spec.scale**2, 3, padding=1)
        shrink(tail)
        return tail

    def enlarge(self, features: Tensor) -> Tensor:
        """[B, n_feats, H, W] -> [B, colors, sH, sW]."""
        return functional.pixel_shuffle(self.tail(features), self.spec.scale)

    def residual(self, x: Tensor) -> Tensor:
        """What is added to the bicubic picture."""
        features = self.head(4 * x - 2)
        return self.enlarge(self.body(features) + features)

    def forward(self, x: Tensor) -> Tensor:
        return self.bicubic(x) + self.residual(x)


@torch.no_grad()
def shrink(conv: nn.Conv2d) -> None:
    """A tenth of the usual weights and no bias."""
    conv.weight.mul_(0.1)
    assert conv.bias is not None
    conv.bias.zero_()
