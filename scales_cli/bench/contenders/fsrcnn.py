"""FSRCNN(d, s, m), the accelerated SRCNN (Dong et al., 2016): small, full precision, luma only."""

from __future__ import annotations

from typing import Any

from scales_cli.backbones.cost import ConvCost, Part


def fsrcnn(scale: int, d: int = 56, s: int = 12, m: int = 4) -> Any:
    """A module [B, 1, H, W] -> [B, 1, sH, sW]. It extracts, shrinks, maps m times, expands and enlarges."""
    from torch import nn

    layers: list[Any] = []
    for inputs, outputs, kernel in [(1, d, 5), (d, s, 1), *[(s, s, 3)] * m, (s, d, 1)]:
        layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.PReLU(outputs)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(d, 1, 9, stride=scale, padding=4, output_padding=scale - 1))


def fsrcnn_parts(d: int = 56, s: int = 12, m: int = 4) -> list[Part]:
    """Parts to be counted, the same at every scale: the transposed convolution has one output channel."""
    shrink, expand = ConvCost(d, s, 1), ConvCost(s, d, 1)
    return [ConvCost(1, d, 5), shrink, *[ConvCost(s, s, 3)] * m, expand, ConvCost(d, 1, 9)]
