"""What every backbone is: a head, a body at LR resolution around which the features skip, and a tail."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.layers.int8_conv import Int8Conv2d
from scales_cli.networks.blocks import BicubicUpsampler


class Network(nn.Module):
    """[B, inputs, H, W] in [0, 1] -> [B, colors, sH, sW]: the bicubic picture plus a learned residual.

    head conv3x3 -> body -> + head -> tail conv3x3 to colors s^2 channels -> pixel shuffle. The head is full precision,
    and so is the tail, but for that of networks that the native engine runs, which is rounded to 8 bits. The body maps
    [B, n_feats, H, W] to the same shape. Of planes "ycc", luma alone is enlarged, and two more channels of the tail are
    a residual over the LR chroma.
    """

    def __init__(self, spec: NetworkSpec, build_body: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.spec = spec
        self.head = nn.Conv2d(spec.inputs, spec.n_feats, 3, padding=1)
        self.body = build_body()
        self.tail = self.build_tail()
        self.bicubic = BicubicUpsampler(spec.scale)

    def build_tail(self) -> nn.Module:
        """What follows the body. It starts small: the first pictures are nearly the bicubic ones."""
        spec = self.spec
        tail: nn.Conv2d
        if spec.has_int8_tail:
            tail = Int8Conv2d(spec.n_feats, spec.outputs)
        else:
            tail = nn.Conv2d(spec.n_feats, spec.outputs, 3, padding=1)
        shrink(tail)
        return tail

    def enlarge(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """[B, n_feats, H, W] -> [B, colors, sH, sW] and, if there is chroma, [B, 2, H, W]."""
        spec, channels = self.spec, self.tail(features)
        phases = spec.colors * spec.scale**2
        chroma = channels[:, phases:] if spec.has_chroma else None
        return functional.pixel_shuffle(channels[:, :phases], spec.scale), chroma

    def residuals(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is added to the bicubic picture, and to the LR chroma."""
        features = self.head(4 * x - 2)
        return self.enlarge(self.body(features) + features)

    def residual(self, x: Tensor) -> Tensor:
        """What is added to the bicubic picture."""
        return self.residuals(x)[0]

    def predict(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The large picture [B, colors, sH, sW] and, if the network gives it, the LR chroma [B, 2, H, W]."""
        residual, chroma = self.residuals(x)
        large = self.bicubic(x[:, : self.spec.colors]) + residual
        return large, None if chroma is None else x[:, 1:3] + chroma

    def forward(self, x: Tensor) -> Tensor:
        return self.predict(x)[0]


@torch.no_grad()
def shrink(conv: nn.Conv2d) -> None:
    """A tenth of the usual weights and no bias."""
    conv.weight.mul_(0.1)
    assert conv.bias is not None
    conv.bias.zero_()
