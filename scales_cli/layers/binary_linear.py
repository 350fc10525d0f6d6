"""Linear layers of a Transformer's body, on tokens [..., Ci] -> [..., Co].

The attention's products, softmax and normalizations between them are the backbone's and stay full precision.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.layers.binarize import mean_magnitude, sign, ste_sign, ste_sign_identity
from scales_cli.layers.binary_layer import BinaryLayer
from scales_cli.layers.rescaling import LayerwiseScalingFactor, SpatialRescaling


class BinaryLinear(BinaryLayer):
    """s_W . (sign(x) sign(W)^T) + bias: the plain binary layer, s_W = mean |W| per output.

    `inner` tells that no full-precision path of the block leads around the layer, as it does around a block's last one;
    with the option `skip` such a layer adds its input, where the shapes agree.
    """

    def __init__(self, in_feats: int, out_feats: int, *, inner: bool = False, skip: bool = False) -> None:
        super().__init__(out_feats, in_feats)
        self.bias = nn.Parameter(torch.zeros(out_feats))
        self.has_skip = skip and inner and in_feats == out_feats

    def matmul(self, bits: Tensor, weight: Tensor) -> Tensor:
        """The product of +-1 tokens with +-1 weights: whole numbers, float32."""
        return functional.linear(bits.to(self.compute_dtype), weight.to(self.compute_dtype)).to(torch.float32)

    def skip(self, x: Tensor, branch: Tensor) -> Tensor:
        return x + branch if self.has_skip else branch

    def forward(self, x: Tensor) -> Tensor:
        product = self.matmul(ste_sign(x), ste_sign_identity(self.weight))
        return self.skip(x, product * mean_magnitude(self.weight) + self.bias)


class BiBERTLinear(BinaryLinear):
    """s_W . (sign(x) sign(W - mean W)^T) + bias, means per output (BiBERT, ICLR 2022).

    Gradients pass both signs unchanged inside [-1, 1] only. Of BiBERT's attention nothing is taken over.
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean(dim=1, keepdim=True)
        product = self.matmul(ste_sign_clipped(x), ste_sign_clipped(weight))
        return self.skip(x, product * mean_magnitude(weight) + self.bias)


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
        """By the scale, and by S, which takes one for each input."""
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


class FloatLinear(nn.Linear):
    """x W^T + bias, the full-precision twin."""

    def __init__(self, in_feats: int, out_feats: int, *, inner: bool = False) -> None:
        super().__init__(in_feats, out_feats)


def ste_sign_clipped(x: Tensor) -> Tensor:
    """sign(x) forwards; backwards the identity inside [-1, 1] and zero outside."""
    soft = x.clamp(-1, 1)
    return sign(x) + (soft - soft.detach())
