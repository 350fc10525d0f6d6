"""Signs and the gradients that stand in for theirs.

sign(0) = +1 here and everywhere in the project, so that a binary value is one bit.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sign(x: Tensor) -> Tensor:
    """+1 where x >= 0, else -1."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def approx_sign(x: Tensor) -> Tensor:
    """F(x), the piecewise quadratic from -1 to +1 whose slope max(0, 2 - 2|x|) replaces that of sign (Bi-Real Net)."""
    x = x.clamp(-1, 1)
    return x * (2 - x.abs())


def ste_sign(x: Tensor, sharpness: Tensor | float = 1.0) -> Tensor:
    """sign(x) forwards; backwards the gradient of `approx_sign(sharpness x)`: the sharper, the nearer to sign."""
    soft = approx_sign(sharpness * x)
    return sign(x) + (soft - soft.detach())


def ste_sign_identity(x: Tensor) -> Tensor:
    """sign(x) forwards; backwards the identity, as latent weights get it."""
    return sign(x) + (x - x.detach())


def mean_magnitude(weight: Tensor) -> Tensor:
    """s_W[o] = mean |W[o]| of a weight [Co, Ci, k, k] or [Co, Ci], as [Co], without a gradient (XNOR-Net)."""
    return weight.detach().abs().flatten(1).mean(dim=1)
