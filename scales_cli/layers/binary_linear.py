"""The plain binary linear layer of a Transformer's body, on tokens [..., Ci] -> [..., Co].

The attention's products, softmax and normalizations between such layers are the backbone's and stay full precision.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.layers.binarize import mean_magnitude, ste_sign, ste_sign_identity
from scales_cli.layers.binary_layer import BinaryLayer


class BinaryLinear(BinaryLayer):
    """s_W . (sign(x) sign(W)^T) + bias: the plain binary layer, s_W = mean |W| per output.

    `inner` tells that no full-precision path of the block leads around the layer, as it does around a block's last one;
    with the option `skip` such a layer adds its input, if the shapes agree.
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
