"""The layer of ReActNet (Liu et al., ECCV 2020), as a super-resolution body takes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scales_cli.layers.activation import RPReLU
from scales_cli.layers.batch_norm import small_batch_norm
from scales_cli.layers.binarize import ste_sign
from scales_cli.layers.binary_conv import BinaryConv2d


class ReActNetConv2d(BinaryConv2d):
    """RPReLU(x + BN(s_W . (sign(x + shift) * sign(W)))): RSign, a learned shift a channel, and RPReLU on the stream."""

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__(n_feats, out_feats, kernel_size)
        self.shift = nn.Parameter(torch.zeros(n_feats))
        self.norm = small_batch_norm(self.out_feats)
        self.activation = RPReLU(self.out_feats)

    @property
    def multiplications(self) -> float:
        """The normalization, which takes the weight scale in, and the activation's slopes."""
        return 2 * self.out_feats

    @property
    def derived_parameters(self) -> int:
        return 0

    def forward(self, x: Tensor) -> Tensor:
        bits = ste_sign(x + self.shift.view(-1, 1, 1))
        branch = self.norm(self.convolve_scaled(bits))
        return self.activation(self.skip(x, branch))
