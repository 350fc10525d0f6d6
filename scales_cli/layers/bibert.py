"""The linear layer of BiBERT (Qin et al., "BiBERT: accurate fully binarized BERT", ICLR 2022)."""

from __future__ import annotations

from torch import Tensor

from scales_cli.layers.binarize import mean_magnitude, sign
from scales_cli.layers.binary_linear import BinaryLinear


def ste_sign_clipped(x: Tensor) -> Tensor:
    """sign(x) forwards; backwards the identity inside [-1, 1] and zero outside."""
    soft = x.clamp(-1, 1)
    return sign(x) + (soft - soft.detach())


class BiBERTLinear(BinaryLinear):
    """s_W . (sign(x) sign(W - mean W)^T) + bias, means per output, s_W = mean |W| as in the authors' code.

    Gradients pass both signs unchanged inside [-1, 1] only. Nothing of BiBERT's attention is taken over.
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean(dim=1, keepdim=True)
        product = self.matmul(ste_sign_clipped(x), ste_sign_clipped(weight))
        return self.skip(x, product * mean_magnitude(self.weight) + self.bias)
