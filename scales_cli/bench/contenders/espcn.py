"""ESPCN, the network that brought the pixel shuffle (Shi et al., 2016): small, full precision, luma only."""

from __future__ import annotations

from typing import Any

from scales_cli.backbones.cost import ConvCost, Part


def espcn(scale: int) -> Any:
    """A module [B, 1, H, W] -> [B, 1, sH, sW]: convolutions of 5x5 to 64, 3x3 to 32 and 3x3 to s^2 channels."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 64, 5, padding=2),
        nn.Tanh(),
        nn.Conv2d(64, 32, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(32, scale**2, 3, padding=1),
        nn.PixelShuffle(scale),
    )


def espcn_parts(scale: int) -> list[Part]:
    """Parts to be counted."""
    return [ConvCost(1, 64, 5), ConvCost(64, 32, 3), ConvCost(32, scale**2, 3)]
