"""ESPCN, the network that brought the pixel shuffle (Shi et al., 2016): small, full precision, luma only."""

from __future__ import annotations

from torch import Tensor, nn


class ESPCN(nn.Module):
    """[B, 1, H, W] -> [B, 1, sH, sW] by convolutions of 5x5 to 64, 3x3 to 32 and 3x3 to s^2 channels."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 64, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(64, 32, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(32, scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)
