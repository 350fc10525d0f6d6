"""FSRCNN(d, s, m), the accelerated SRCNN (Dong et al., 2016): small, full precision, luma only."""

from __future__ import annotations

from torch import Tensor, nn


class FSRCNN(nn.Module):
    """[B, 1, H, W] -> [B, 1, sH, sW]: extract, shrink, map m times, expand, and a 9x9 transposed convolution."""

    def __init__(self, scale: int, d: int = 56, s: int = 12, m: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = [(1, d, 5), (d, s, 1), *[(s, s, 3)] * m, (s, d, 1)]
        for inputs, outputs, kernel in widths:
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.PReLU(outputs)]
        self.body = nn.Sequential(*layers)
        self.enlarge = nn.ConvTranspose2d(d, 1, 9, stride=scale, padding=4, output_padding=scale - 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.enlarge(self.body(x))
