"""What every layer with 1-bit weights has."""

from __future__ import annotations

import math

import torch
from torch import nn


class BinaryLayer(nn.Module):
    """Latent weights [Co, ...], whose signs are the layer's, and what inference takes beside the +-1 product.

    Latent weights start four times smaller than usual, so that Adam's steps can turn their signs. Products of +-1
    numbers run in `compute_dtype`; bfloat16 holds their sums exactly up to 256, and even ones, as of 64 channels, up to
    512.
    """

    LATENT_GAIN = 0.25
    compute_dtype = torch.float32

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        with torch.no_grad():
            self.weight.mul_(self.LATENT_GAIN)

    @property
    def out_feats(self) -> int:
        return self.weight.shape[0]

    @property
    def multiplications(self) -> float:
        """Multiplications by full-precision numbers at each position, beside the +-1 product: here by s_W."""
        return self.out_feats

    @property
    def derived_parameters(self) -> int:
        """Full-precision numbers that inference keeps beside the learned ones: s_W."""
        return self.out_feats
