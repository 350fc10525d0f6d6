"""The three scalings of SCALES (arXiv 2303.12270v2): layer-wise, spatial and channel-wise.

A binary layer computes Y = (alpha sign((X - beta) / alpha) * W_b) . S(X) . C(X) + X, in which `LayerwiseScalingFactor`
holds alpha and beta, `SpatialRescaling` is S and `ChannelwiseRescaling` is C. Tensors are [B, C, H, W]; with
`dims` = 0 the first two take tokens, whose channels are the last dimension.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scales_cli.layers.binarize import ste_sign


class LayerwiseScalingFactor(nn.Module):
    """X -> sign((X - beta) / alpha) with one alpha a layer and one threshold beta a channel, both learned.

    The factor alpha commutes with the convolution that follows, so the caller multiplies its output by `factor()`: the
    convolution's input stays +-1. With u = (X - beta) / alpha and F' = max(0, 2 - 2|u|), alpha times the output has the
    gradients F'(u) for X, -F'(u) for beta and sign(u) - u F'(u) for alpha.

    `sharpness`, not of the paper, is 1 but in training that raises it: F(sharpness u) then takes the place of F(u), as
    in IR-Net, whose stand-in comes near to sign in the course of training.
    """

    MINIMUM = 1e-5
    sharpness: Tensor

    def __init__(self, n_feats: int, dims: int = 2) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(()))
        self.beta = nn.Parameter(torch.zeros(n_feats))
        self.register_buffer("sharpness", torch.ones(()), persistent=False)
        self._shape = (n_feats, *[1] * dims)

    def factor(self) -> Tensor:
        """alpha, kept positive; its gradient passes, so that one that fell too far rises again."""
        return self.alpha + (self.alpha.clamp(min=self.MINIMUM) - self.alpha).detach()

    def forward(self, x: Tensor) -> Tensor:
        return ste_sign((x - self.beta.view(self._shape)) / self.factor(), self.sharpness)

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """alpha = 2 mean |X - beta|, the value that puts the layer's input inside the window of the gradient (BiT)."""
        self.alpha.copy_(2 * (x - self.beta.view(self._shape)).abs().mean())


class SpatialRescaling(nn.Module):
    """S(X) = gate_factor * sigmoid(conv1x1(X)), [B, 1, H, W], or [..., 1] of tokens: one weight a position."""

    def __init__(self, n_feats: int, gate_factor: float = 2.0, dims: int = 2) -> None:
        super().__init__()
        bound = n_feats**-0.5
        self.weight = nn.Parameter(torch.empty(n_feats).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(()).uniform_(-bound, bound))
        self.gate_factor = gate_factor
        self._shape = (n_feats, *[1] * dims)

    def forward(self, x: Tensor) -> Tensor:
        # A product and a sum: compiled, this is 2.5 times as fast in training as a convolution to one channel.
        dot = (x * self.weight.view(self._shape)).sum(dim=-len(self._shape), keepdim=True)
        return self.gate_factor * torch.sigmoid(dot + self.bias)


class ChannelwiseRescaling(nn.Module):
    """C(X) = gate_factor * sigmoid(conv1d_k(mean_hw(X))), [B, C, 1, 1]: one weight a channel, from the whole picture.

    The filter of k taps runs over the channels, zero-padded, without bias (ECA-Net).
    """

    def __init__(self, kernel_size: int = 5, gate_factor: float = 2.0) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError("the kernel over the channels must be odd, and positive")
        bound = kernel_size**-0.5
        self.weight = nn.Parameter(torch.empty(kernel_size).uniform_(-bound, bound))
        self.gate_factor = gate_factor

    def forward(self, x: Tensor) -> Tensor:
        n_feats, taps = x.shape[1], self.weight.numel()
        mean = nn.functional.pad(x.mean(dim=(2, 3)), (taps // 2, taps // 2))
        logits = sum(self.weight[tap] * mean[:, tap : tap + n_feats] for tap in range(taps))
        return self.gate_factor * torch.sigmoid(logits)[:, :, None, None]
