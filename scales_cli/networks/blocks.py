"""Parts that every backbone shares."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.imaging.resize import contributions


class BicubicUpsampler(nn.Module):
    """[B, C, H, W] -> [B, C, sH, sW] by the bicubic kernel of a = -1/2 with mirrored edges, as `imaging.resize`.

    A fixed 5x5 filter for each of the s x s phases, then pixel shuffle. Both sides must be at least 2.
    """

    filters: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        centre = 4  # an input sample with room on both sides; its s output samples are the s phases
        weights, index = contributions(2 * centre + 1, scale, scale * (2 * centre + 1))
        phases = np.zeros((scale, 5))
        for phase in range(scale):
            taps = index[scale * centre + phase] - centre + 2
            np.add.at(phases[phase], taps.clip(0, 4), weights[scale * centre + phase])
        filters = np.einsum("yi,xj->yxij", phases, phases).reshape(scale**2, 1, 5, 5)
        self.register_buffer("filters", torch.tensor(filters, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, colors, height, width = x.shape
        x = mirror(mirror(x, dim=2), dim=3).reshape(batch * colors, 1, height + 4, width + 4)
        x = functional.pixel_shuffle(functional.conv2d(x, self.filters), self.scale)
        return x.reshape(batch, colors, self.scale * height, self.scale * width)


class ChannelAttention(nn.Module):
    """A weight in (0, 1) for each channel from its mean over the picture: [B, C, H, W] -> [B, C, 1, 1] (SENet)."""

    def __init__(self, n_feats: int, reduction: int) -> None:
        super().__init__()
        if reduction > n_feats:
            raise ValueError(f"{n_feats} channels cannot be squeezed to a {reduction}th")
        self.squeeze = nn.Conv2d(n_feats, n_feats // reduction, 1)
        self.excite = nn.Conv2d(n_feats // reduction, n_feats, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return torch.sigmoid(self.excite(functional.relu(self.squeeze(mean))))


def mirror(x: Tensor, dim: int) -> Tensor:
    """Two more samples on both ends of `dim`, mirrored with the edge repeated."""
    length = x.shape[dim]
    return torch.cat((x.narrow(dim, 0, 2).flip(dim), x, x.narrow(dim, length - 2, 2).flip(dim)), dim)
