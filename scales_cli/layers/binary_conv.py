"""3x3 convolutions for the body of a super-resolution network, each with its full-precision skip.

All of them map [B, F, H, W] to the same shape, so a backbone takes any of them.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.layers.activation import build_activation
from scales_cli.layers.binarize import mean_magnitude, ste_sign, ste_sign_identity
from scales_cli.layers.rescaling import ChannelwiseRescaling, LayerwiseScalingFactor, SpatialRescaling


class BinaryConv2d(nn.Module):
    """x + s_W . (sign(x) * sign(W)): the plain binary convolution, s_W = mean |W| per output channel (Bi-Real Net).

    Latent weights start four times smaller than a usual convolution's, so that Adam's steps can turn their signs.
    The +-1 convolution runs in `compute_dtype`; bfloat16 holds its sums, which are even, exactly up to 512.
    """

    LATENT_GAIN = 0.25
    compute_dtype = torch.float32
    stream_slope: ClassVar[float | None] = None  # of a LeakyReLU that backbones put between two layers of this kind

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_feats, n_feats, 3, 3))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        with torch.no_grad():
            self.weight.mul_(self.LATENT_GAIN)

    @property
    def multiplications(self) -> float:
        """By full-precision numbers at each position, of all that is not the +-1 convolution: here by s_W."""
        return self.weight.shape[0]

    @property
    def derived_parameters(self) -> int:
        """Full-precision numbers that inference keeps beside the learned ones: s_W."""
        return self.weight.shape[0]

    def convolve(self, bits: Tensor) -> Tensor:
        """The zero-padded convolution of +-1 activations with the +-1 weights: whole numbers, float32."""
        weight = ste_sign_identity(self.weight)
        out = functional.conv2d(bits.to(self.compute_dtype), weight.to(self.compute_dtype), padding=1)
        return out.to(torch.float32)

    def convolve_scaled(self, bits: Tensor) -> Tensor:
        """s_W . (bits * sign(W))."""
        return self.convolve(bits) * mean_magnitude(self.weight).view(-1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convolve_scaled(ste_sign(x))


class ScalesConv2d(BinaryConv2d):
    """x + act((alpha sign((x - beta) / alpha) * s sign(W)) . S(x) . C(x)): the layer of SCALES.

    layerwise, spatial, channel: whether it has alpha and beta, S, and C; without them sign(x), 1 and 1.
    weight_scale: "learned" (s a parameter, may turn negative) or "mean" (s = mean |W|, without a gradient).
    start: the branch's standard deviation over mean |x| before training (without `layerwise`, over 1/2); a branch as
    large as the stream drowns it.
    """

    def __init__(
        self,
        n_feats: int,
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
        super().__init__(n_feats)
        if channel_kernel > n_feats:
            raise ValueError("the kernel over the channels is longer than they are many")
        self.binarize = LayerwiseScalingFactor(n_feats) if layerwise else None
        self.spatial = SpatialRescaling(n_feats, gate_factor) if spatial else None
        self.channel = ChannelwiseRescaling(channel_kernel, gate_factor) if channel else None
        self.activation = build_activation(activation, n_feats)
        if weight_scale not in ("learned", "mean"):
            raise ValueError(f"unknown weight_scale {weight_scale!r}: learned or mean")
        if weight_scale == "learned":
            # 9 F random +-1 products sum to a deviation of sqrt(9 F), and alpha starts at 2 mean |x|.
            self.scale = nn.Parameter(torch.full((n_feats,), start / (2 * math.sqrt(9 * n_feats))))
        else:
            self.register_parameter("scale", None)

    @property
    def multiplications(self) -> float:
        """By the scale, the slopes, C, and S, whose 1x1 convolution adds one for each channel."""
        parts = 1 + (not isinstance(self.activation, nn.Identity)) + (self.channel is not None)
        return self.weight.shape[0] * (parts + 2 * (self.spatial is not None))

    @property
    def derived_parameters(self) -> int:
        return self.weight.shape[0] if self.scale is None else 0

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
        return x + self.activation(branch)


class FloatConv2d(nn.Module):
    """x + PReLU(conv(x)): the full-precision twin of a binary layer, for teachers and comparisons."""

    stream_slope: ClassVar[float | None] = None

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        conv = nn.Conv2d(n_feats, n_feats, 3, padding=1)
        self.weight, self.bias = conv.weight, conv.bias
        self.activation = nn.PReLU(n_feats)

    @property
    def multiplications(self) -> float:
        """By the slopes."""
        return self.weight.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.activation(functional.conv2d(x, self.weight, self.bias, padding=1))
