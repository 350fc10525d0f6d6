"""Plain full-precision networks of 3x3 convolutions on RGB: those that give the most quality for their time.

They have the shape of ECBSR (Zhang et al., 2021) once its branches are folded. ETDS (Chao et al., 2023) is as plain.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal

from scales_cli.backbones.cost import ConvCost, Part


@dataclass(frozen=True)
class PlainShape:
    """A first convolution, `convs` more of as many channels, each with PReLU, and one to 3 scale^2 channels."""

    convs: int
    channels: int


PlainName = Literal["ecbsr-m4c32", "ecbsr-m6c40"]
PLAIN_SHAPES: dict[PlainName, PlainShape] = {"ecbsr-m4c32": PlainShape(4, 32), "ecbsr-m6c40": PlainShape(6, 40)}


@dataclass(frozen=True)
class PublishedScore:
    """Luma PSNR in dB at x4 of trained weights that anyone can have, in the precision that it says."""

    network: str
    precision: str
    psnr: dict[str, float]


SOURCE = (  # of the scores
    "x4, weights of github.com/ECNUSR/ETDS, scored by the protocol of scales eval; int8: post-training quantization by "
    "NNCF, all but the last convolution"
)
SCORES = (
    PublishedScore("ecbsr-m4c32", "fp32, bf16", {"Set5": 31.25, "Set14": 28.06, "B100": 27.22, "Urban100": 25.08}),
    PublishedScore("ecbsr-m4c32", "int8", {"Set5": 31.15, "Set14": 27.96, "B100": 27.13, "Urban100": 24.98}),
    PublishedScore("ecbsr-m6c40", "fp32, bf16", {"Set5": 31.42, "Set14": 28.21, "B100": 27.33, "Urban100": 25.38}),
    PublishedScore("ecbsr-m6c40", "int8", {"Set5": 31.32, "Set14": 28.09, "B100": 27.24, "Urban100": 25.24}),
)


def plain_network(name: PlainName, scale: int) -> Any:
    """A module [B, 3, H, W] -> [B, 3, sH, sW], which adds to each pixel of the input, repeated."""
    from torch import nn

    shape, phases = PLAIN_SHAPES[name], scale**2
    widths = [3, *[shape.channels] * (shape.convs + 1)]
    layers: list[Any] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.PReLU(outputs)]
    network: Any = nn.Sequential(*layers, nn.Conv2d(shape.channels, 3 * phases, 3, padding=1))
    residual, shuffle = network.forward, nn.PixelShuffle(scale)
    network.forward = lambda x: shuffle(residual(x) + x.repeat_interleave(phases, dim=1))
    return network


def plain_parts(name: PlainName, scale: int) -> list[Part]:
    """Parts to be counted."""
    shape = PLAIN_SHAPES[name]
    inner = [ConvCost(shape.channels, shape.channels, 3) for _ in range(shape.convs)]
    return [ConvCost(3, shape.channels, 3), *inner, ConvCost(shape.channels, 3 * scale**2, 3)]
