"""Convolutions for the body of a super-resolution network, each with a full-precision skip where shapes agree.

All of them map [B, F, H, W] to [B, G, H, W], by default 3x3 and G = F, so a backbone takes any of them.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.layers.activation import build_activation
from scales_cli.layers.binarize import mean_magnitude, ste_sign, ste_sign_identity
from scales_cli.layers.binary_layer import BinaryLayer
from scales_cli.layers.rescaling import ChannelwiseRescaling, LayerwiseScalingFactor, SpatialRescaling


class BinaryConv2d(BinaryLayer):
    """x + s_W . (sign(x) * sign(W)): the plain binary convolution, s_W = mean |W| per output channel (Bi-Real Net).

    Like every layer of this family it has no skip where the numbers of channels differ.
    """

    stream_slope: ClassVar[float | None] = None  # of a LeakyReLU that backbones put between two layers of this kind

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__(out_feats or n_feats, n_feats, kernel_size, kernel_size)

    def convolve(self, bits: Tensor) -> Tensor:
        """The zero-padded convolution of +-1 activations with the +-1 weights: whole numbers, float32."""
        weight = ste_sign_identity(self.weight)
        padding = self.weight.shape[-1] // 2
        out = functional.conv2d(bits.to(self.compute_dtype), weight.to(self.compute_dtype), padding=padding)
        return out.to(torch.float32)

    def convolve_scaled(self, bits: Tensor) -> Tensor:
        """s_W . (bits * sign(W))."""
        return self.convolve(bits) * mean_magnitude(self.weight).view(-1, 1, 1)

    def skip(self, x: Tensor, branch: Tensor) -> Tensor:
        """x + branch where their channels agree, else the branch alone."""
        return x + branch if x.shape[1] == self.out_feats else branch

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x, self.convolve_scaled(ste_sign(x)))


class ScalesConv2d(BinaryConv2d):
    """x + act((alpha sign((x - beta) / alpha) * s sign(W)) . S(x) . C(x)): the layer of SCALES.

    layerwise, spatial, channel: whether it has alpha and beta, S, and C; without them sign(x), 1 and 1. C, one weight
    for each input channel, is left out where the numbers of channels differ.
    weight_scale: "learned" (s a parameter, may turn negative) or "mean" (s = mean |W|, without a gradient).
    start: the branch's standard deviation over mean |x| before training (without `layerwise`, over 1/2); a branch as
    large as the stream drowns it.
    """

    def __init__(
        self,
        n_feats: int,
        out_feats: int | None = None,
        kernel_size: int = 3,
        *,
        layerwise: bool = True,
        spatial: bool = True,
        channel: bool = True,
        channel_kernel: int = 5,
        gate_factor: float = 2.0,
        activation: str = "rprelu",
        weight_scale: str = "learned",
        start: float = 0.2,
    ) -> None:
        super().__init__(n_feats, out_feats, kernel_size)
        if channel_kernel > n_feats:
            raise ValueError("the kernel over the channels is longer than they are many")
        channel = channel and self.out_feats == n_feats
        self.binarize = LayerwiseScalingFactor(n_feats) if layerwise else None
        self.spatial = SpatialRescaling(n_feats, gate_factor) if spatial else None
        self.channel = ChannelwiseRescaling(channel_kernel, gate_factor) if channel else None
        self.activation = build_activation(activation, self.out_feats)
        if weight_scale not in ("learned", "mean"):
            raise ValueError(f"unknown weight_scale {weight_scale!r}: learned or mean")
        if weight_scale == "learned":
            # k k F random +-1 products sum to a deviation of sqrt(k k F), and alpha starts at 2 mean |x|.
            products = self.weight[0].numel()
            self.scale = nn.Parameter(torch.full((self.out_feats,), start / (2 * math.sqrt(products))))
        else:
            self.register_parameter("scale", None)

    @property
    def multiplications(self) -> float:
        """By the scale, the slopes, C, and S, whose 1x1 convolution adds one for each channel."""
        parts = 1 + (not isinstance(self.activation, nn.Identity)) + (self.channel is not None)
        spatial = 0 if self.spatial is None else sum(self.weight.shape[:2])
        return self.out_feats * parts + spatial

    @property
    def derived_parameters(self) -> int:
        return self.out_feats if self.scale is None else 0

    def weight_scale(self) -> Tensor:
        """s, [F]."""
        return mean_magnitude(self.weight) if self.scale is None else self.scale

    def branch_scale(self) -> Tensor:
        """alpha s, [F]."""
        return self.weight_scale() if self.binarize is None else self.binarize.factor() * self.weight_scale()

    def forward(self, x: Tensor) -> Tensor:
        bits = ste_sign(x) if self.binarize is None else self.binarize(x)
        branch = self.convolve(bits) * self.branch_scale().view(-1, 1, 1)
        if self.spatial is not None:
            branch = branch * self.spatial(x)
        if self.channel is not None:
            branch = branch * self.channel(x)
        return self.skip(x, self.activation(branch))


class FloatConv2d(nn.Module):
    """x + PReLU(conv(x)): the full-precision twin of a binary layer, for teachers and comparisons."""

    stream_slope: ClassVar[float | None] = None

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__()
        conv = nn.Conv2d(n_feats, out_feats or n_feats, kernel_size)
        self.weight, self.bias = conv.weight, conv.bias
        self.activation = nn.PReLU(conv.out_channels)

    @property
    def multiplications(self) -> float:
        """By the slopes."""
        return self.weight.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        padding = self.weight.shape[-1] // 2
        branch = self.activation(functional.conv2d(x, self.weight, self.bias, padding=padding))
        return x + branch if branch.shape == x.shape else branch
