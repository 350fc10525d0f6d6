"""A layer in the style of BTM (Jiang et al., "Training binary neural network without batch normalization for image
super-resolution", AAAI 2021), whose code is not public: what its abstract and reproductions state."""

from __future__ import annotations

from torch import Tensor, nn

from scales_cli.layers.binarize import sign
from scales_cli.layers.binary_conv import BinaryConv2d


def ste_sign_cubic(x: Tensor) -> Tensor:
    """sign(x) forwards; backwards the slope 3/2 (1 - x^2) inside [-1, 1], of an approximation of third order."""
    inside = x.clamp(-1, 1)
    soft = inside * (3 - inside.square()) / 2
    return sign(x) + (soft - soft.detach())


class BTMConv2d(BinaryConv2d):
    """x + PReLU(s_W . (sign(x) * sign(W))): no normalization, Xavier latents, a surrogate of higher order for sign.

    The published input normalization is the backbone's (4 x - 2); its latents are scaled down like its rivals'.
    """

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__(n_feats, out_feats, kernel_size)
        nn.init.xavier_uniform_(self.weight, gain=self.LATENT_GAIN)
        self.activation = nn.PReLU(self.out_feats)

    @property
    def multiplications(self) -> float:
        """Weight scales and slopes."""
        return 2 * self.out_feats

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x, self.activation(self.convolve_scaled(ste_sign_cubic(x))))
