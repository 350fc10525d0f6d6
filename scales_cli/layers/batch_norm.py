"""Batch normalization for binary branches."""

from __future__ import annotations

from torch import nn


def small_batch_norm(n_feats: int, gain: float = 0.1) -> nn.BatchNorm2d:
    """Starts with `gain` as its factor: at the usual 1, branches of deviation 1 drown a stream of about 0.5.

    Published networks avoid that by inputs of range 255. Adam hardly moves a factor of 1 in a short run; measured on
    the tiny body, the validation PSNR after 4 000 steps was hardly above that of bicubic interpolation.
    """
    norm = nn.BatchNorm2d(n_feats)
    nn.init.constant_(norm.weight, gain)
    return norm
