"""Activations of the binary branch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RPReLU(nn.Module):
    """z -> PReLU(z - shift_in) + shift_out, slope and both shifts per channel (ReActNet). Slopes may turn negative."""

    def __init__(self, n_feats: int, slope: float = 0.25) -> None:
        super().__init__()
        self.shift_in = nn.Parameter(torch.zeros(n_feats))
        self.slope = nn.Parameter(torch.full((n_feats,), slope))
        self.shift_out = nn.Parameter(torch.zeros(n_feats))

    def forward(self, z: Tensor) -> Tensor:
        z = z - self.shift_in.view(-1, 1, 1)
        return torch.where(z >= 0, z, self.slope.view(-1, 1, 1) * z) + self.shift_out.view(-1, 1, 1)


def build_activation(name: str, n_feats: int) -> nn.Module:
    """ "rprelu", "prelu" or "none": what the branch goes through before it joins the skip."""
    if name == "rprelu":
        return RPReLU(n_feats)
    if name == "prelu":
        return nn.PReLU(n_feats)
    if name == "none":
        return nn.Identity()
    raise ValueError(f"unknown activation {name!r}: rprelu, prelu or none")
