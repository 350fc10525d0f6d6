"""The layer of SCALES (arXiv 2303.12270v2), for convolutional networks and for Transformers.

Its three scalings are in `rescaling`: alpha and beta layer-wise, S(x) spatial, C(x) channel-wise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from scales_cli.layers.activation import build_activation
from scales_cli.layers.binarize import mean_magnitude, ste_sign, ste_sign_identity
from scales_cli.layers.binary_conv import BinaryConv2d
from scales_cli.layers.binary_linear import BinaryLinear
from scales_cli.layers.rescaling import ChannelwiseRescaling, LayerwiseScalingFactor, SpatialRescaling


class ScalesConv2d(BinaryConv2d):
    """x + act((alpha sign((x - beta) / alpha) * s sign(W)) . S(x) . C(x)): the layer of SCALES.

    layerwise, spatial, channel: whether it has alpha and beta, S, and C; without them sign(x), 1 and 1. C, one weight
    for each input channel, is left out if the numbers of channels differ.
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
            raise ValueError(f"channel_kernel {channel_kernel} is larger than the number of channels, {n_feats}")
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
        """Multiplications by the scale, the slopes, C, and S, whose 1x1 convolution adds one for each channel."""
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


class ScalesLinear(BinaryLinear):
    """(alpha sign((x - beta) / alpha) * s sign(W)^T) . S(x) + bias + skip: the layer of SCALES in token form.

    layerwise, spatial: whether it has alpha and beta, and S; without them sign(x) and 1.
    start: the product's standard deviation over mean |x| before training (without `layerwise`, over 1/2).
    """

    def __init__(
        self,
        in_feats: int,
        out_feats: int,
        *,
        inner: bool = False,
        skip: bool = True,
        layerwise: bool = True,
        spatial: bool = True,
        gate_factor: float = 2.0,
        start: float = 0.2,
    ) -> None:
        super().__init__(in_feats, out_feats, inner=inner, skip=skip)
        self.binarize = LayerwiseScalingFactor(in_feats, dims=0) if layerwise else None
        self.spatial = SpatialRescaling(in_feats, gate_factor, dims=0) if spatial else None
        self.scale = nn.Parameter(torch.full((out_feats,), start / (2 * math.sqrt(in_feats))))

    @property
    def multiplications(self) -> float:
        """Multiplications by the scale, and by S, which takes one for each input."""
        return self.out_feats + (0 if self.spatial is None else sum(self.weight.shape))

    @property
    def derived_parameters(self) -> int:
        return 0

    def branch_scale(self) -> Tensor:
        """alpha s, [Co]."""
        return self.scale if self.binarize is None else self.binarize.factor() * self.scale

    def forward(self, x: Tensor) -> Tensor:
        bits = ste_sign(x) if self.binarize is None else self.binarize(x)
        branch = self.matmul(bits, ste_sign_identity(self.weight)) * self.branch_scale()
        if self.spatial is not None:
            branch = branch * self.spatial(x)
        return self.skip(x, branch + self.bias)
