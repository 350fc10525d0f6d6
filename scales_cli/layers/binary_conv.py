"""3x3 convolutions for the body of a super-resolution network, each with its full-precision skip.

All of them map [B, F, H, W] to the same shape, so a backbone takes any of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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

    compute_dtype = torch.float32

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_feats, n_feats, 3, 3))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        with torch.no_grad():
            self.weight.mul_(0.25)

    def convolve(self, bits: Tensor) -> Tensor:
        """The zero-padded convolution of +-1 activations with the +-1 weights: whole numbers, float32."""
        weight = ste_sign_identity(self.weight)
        out = functional.conv2d(bits.to(self.compute_dtype), weight.to(self.compute_dtype), padding=1)
        return out.to(torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convolve(ste_sign(x)) * mean_magnitude(self.weight).view(-1, 1, 1)


class ScalesConv2d(BinaryConv2d):
    """x + act((alpha sign((x - beta) / alpha) * s sign(W)) . S(x) . C(x)): the layer of SCALES.

    weight_scale: "learned" (s a parameter, may turn negative) or "mean" (s = mean |W|, without a gradient).
    start: the branch's standard deviation over mean |x| before training; a branch as large as the stream drowns it.
    """

    def __init__(
        self,
        n_feats: int,
        *,
        channel_kernel: int = 5,
        gate_factor: float = 2.0,
        activation: str = "rprelu",
        weight_scale: str = "learned",
        start: float = 0.2,
    ) -> None:
        super().__init__(n_feats)
        if channel_kernel > n_feats:
            raise ValueError("the kernel over the channels is longer than they are many")
        self.binarize = LayerwiseScalingFactor(n_feats)
        self.spatial = SpatialRescaling(n_feats, gate_factor)
        self.channel = ChannelwiseRescaling(channel_kernel, gate_factor)
        self.activation = build_activation(activation, n_feats)
        if weight_scale not in ("learned", "mean"):
            raise ValueError(f"unknown weight_scale {weight_scale!r}: learned or mean")
        if weight_scale == "learned":
            # 9 F random +-1 products sum to a deviation of sqrt(9 F), and alpha starts at 2 mean |x|.
            self.scale = nn.Parameter(torch.full((n_feats,), start / (2 * math.sqrt(9 * n_feats))))
        else:
            self.register_parameter("scale", None)

    def weight_scale(self) -> Tensor:
        """s, [F]."""
        return mean_magnitude(self.weight) if self.scale is None else self.scale

    def forward(self, x: Tensor) -> Tensor:
        whole = self.convolve(self.binarize(x))
        scale = self.binarize.factor() * self.weight_scale()
        branch = whole * scale.view(-1, 1, 1) * self.spatial(x) * self.channel(x)
        return x + self.activation(branch)


class FloatConv2d(nn.Module):
    """x + PReLU(conv(x)): the full-precision twin of a binary layer, for teachers and comparisons."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        conv = nn.Conv2d(n_feats, n_feats, 3, padding=1)
        self.weight, self.bias = conv.weight, conv.bias
        self.activation = nn.PReLU(n_feats)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.activation(functional.conv2d(x, self.weight, self.bias, padding=1))


CONVS: dict[str, Callable[..., nn.Module]] = {"scales": ScalesConv2d, "binary": BinaryConv2d, "float": FloatConv2d}
