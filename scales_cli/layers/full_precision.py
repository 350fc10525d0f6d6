"""The full-precision twins of the binary layers, for teachers and comparisons."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional


class FloatConv2d(nn.Module):
    """x + PReLU(conv(x)), the twin of a binary convolution; without skip if the numbers of channels differ."""

    stream_slope: ClassVar[float | None] = None

    def __init__(self, n_feats: int, out_feats: int | None = None, kernel_size: int = 3) -> None:
        super().__init__()
        conv = nn.Conv2d(n_feats, out_feats or n_feats, kernel_size)
        self.weight, self.bias = conv.weight, conv.bias
        self.activation = nn.PReLU(conv.out_channels)
        self.has_skip = conv.out_channels == n_feats

    @property
    def multiplications(self) -> float:
        """Multiplications by the slopes."""
        return self.weight.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        padding = self.weight.shape[-1] // 2
        branch = self.activation(functional.conv2d(x, self.weight, self.bias, padding=padding))
        return x + branch if self.has_skip else branch


class FloatLinear(nn.Linear):
    """x W^T + bias, the twin of a binary linear layer."""

    def __init__(self, in_feats: int, out_feats: int, *, inner: bool = False) -> None:
        super().__init__(in_feats, out_feats)


class GroupConv2d(nn.Conv2d):
    """The plain 3x3 convolution at the end of a group of Transformer layers, without activation."""

    has_skip = False

    def __init__(self, n_feats: int) -> None:
        super().__init__(n_feats, n_feats, 3, padding=1)
