"""The plain binary convolution, on which SCALES and its rivals build.

All of them map [B, F, H, W] to [B, G, H, W], by default 3x3 and G = F, so a backbone takes any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from scales_cli.layers.binarize import mean_magnitude, ste_sign, ste_sign_identity
from scales_cli.layers.binary_layer import BinaryLayer


class BinaryConv2d(BinaryLayer):
    """x + s_W . (sign(x) * sign(W)): the plain binary convolution, s_W = mean |W| per output channel (Bi-Real Net).

    Like every convolution built on it, it has no skip if the numbers of channels differ.
    """

    stream_slope: ClassVar[float | None] = None  # of a LeakyReLU that backbones put between two layers of this kind
    convolution: Callable[[Tensor, Tensor], Tensor] | None = None  # of bits and weights, both +-1; None is torch's

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__(out_feats or n_feats, n_feats, kernel_size, kernel_size)
        self.has_skip = self.out_feats == n_feats

    def convolve(self, bits: Tensor) -> Tensor:
        """The zero-padded convolution of +-1 activations with the +-1 weights: whole numbers, float32."""
        weight = ste_sign_identity(self.weight)
        if self.convolution is not None:
            return self.convolution(bits, weight)
        padding = self.weight.shape[-1] // 2
        out = functional.conv2d(bits.to(self.compute_dtype), weight.to(self.compute_dtype), padding=padding)
        return out.to(torch.float32)

    def convolve_scaled(self, bits: Tensor) -> Tensor:
        """s_W . (bits * sign(W))."""
        return self.convolve(bits) * mean_magnitude(self.weight).view(-1, 1, 1)

    def skip(self, x: Tensor, branch: Tensor) -> Tensor:
        """x + branch, or the branch alone of a layer without a skip."""
        return x + branch if self.has_skip else branch

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x, self.convolve_scaled(ste_sign(x)))
