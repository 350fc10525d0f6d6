"""The layer of E2FIF, end-to-end full-precision information flow (2022)."""

from __future__ import annotations

from torch import Tensor

from scales_cli.layers.batch_norm import small_batch_norm
from scales_cli.layers.binarize import ste_sign
from scales_cli.layers.binary_conv import BinaryConv2d


class E2FIFConv2d(BinaryConv2d):
    """x + BN(sign(x) * sign(W)); the weights have no scale, batch normalization supplies it.

    Published with a LeakyReLU(0.1) on the stream between the two convolutions of a block, which the backbone inserts.
    The published convolution's bias is left out: in front of a normalization it has no effect.
    """

    stream_slope = 0.1

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__(n_feats, out_feats, kernel_size)
        self.norm = small_batch_norm(self.out_feats)

    @property
    def multiplications(self) -> float:
        """The normalization, and on every second layer the LeakyReLU."""
        return self.out_feats * 1.5

    @property
    def derived_parameters(self) -> int:
        return 0

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x, self.norm(self.convolve(ste_sign(x))))
