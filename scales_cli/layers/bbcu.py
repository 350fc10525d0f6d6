"""The unit of BBCU (Xia et al., "Basic binary convolution unit for binarized image restoration", ICLR 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scales_cli.layers.activation import RPReLU
from scales_cli.layers.binarize import ste_sign
from scales_cli.layers.binary_conv import BinaryConv2d


class BBCUConv2d(BinaryConv2d):
    """x + RPReLU(s_W . (sign(x + shift) * sign(W))): no normalization, the activation inside the branch.

    Published with inputs times 130, which keeps branches small against the stream; here the latent weights' small start
    does.
    """

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__(n_feats, out_feats, kernel_size)
        self.shift = nn.Parameter(torch.zeros(n_feats))
        self.activation = RPReLU(self.out_feats)

    @property
    def multiplications(self) -> float:
        """Weight scales and slopes."""
        return 2 * self.out_feats

    def forward(self, x: Tensor) -> Tensor:
        bits = ste_sign(x + self.shift.view(-1, 1, 1))
        return self.skip(x, self.activation(self.convolve_scaled(bits)))
