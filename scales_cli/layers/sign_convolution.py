"""The convolution of signs in whole numbers of 8 bits, in which training on a CPU takes half the time of float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

GRADIENT_RANGE = 10.0  # deviations; what is beyond them is clipped, as little as one in a thousand numbers is
LEVELS = 127


def convolve_signs(bits: Tensor, weight: Tensor) -> Tensor:
    """The zero-padded convolution of +-1 [B, Ci, H, W] with +-1 [Co, Ci, k, k], float32 [B, Co, H, W], exact.

    Its gradients are sums of the output's, which is rounded to 8 bits: to steps of 1/13 of its deviation.
    """
    return _SignConvolution.apply(bits, weight)


class _SignConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, bits: Tensor, weight: Tensor) -> Tensor:
        weight = weight.to(torch.int8)
        ctx.save_for_backward(bits.to(torch.int8), weight)
        return _convolve((bits + 1).to(torch.uint8), 1, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        bits, weight = ctx.saved_tensors
        deviation = gradient.square().mean().sqrt()
        step = (deviation * (GRADIENT_RANGE / LEVELS)).clamp(min=torch.finfo(torch.float32).tiny)
        codes = (gradient / step).round().clamp(-LEVELS, LEVELS)
        turned = weight.flip(2, 3).transpose(0, 1)
        of_bits = _convolve((codes + 128).to(torch.uint8), 128, turned) * step
        return of_bits, _correlate(bits, codes.to(torch.int8), weight.shape[-1]) * step


# These two are opaque to torch.compile, which fuses what is around them.


@torch.library.custom_op("scales::convolve", mutates_args=())
def _convolve(codes: Tensor, zero: int, weight: Tensor) -> Tensor:
    """The convolution of the numbers that the uint8 `codes` are, less `zero`, with int8 weights."""
    codes = codes.contiguous(memory_format=torch.channels_last)
    ones, zeros = torch.ones(len(weight)), torch.zeros(len(weight), dtype=torch.int64)
    shape = [[1, 1], [weight.shape[-1] // 2] * 2, [1, 1], 1]  # stride, padding, dilation, groups
    packed = torch.ops.onednn.qconv_prepack(weight.contiguous(), ones, 1.0, zero, *shape, list(codes.shape))
    output = 1.0, 0, torch.float32  # scale, zero, type
    after = "none", (), ""  # no activation
    return torch.ops.onednn.qconv2d_pointwise(codes, 1.0, zero, packed, ones, zeros, None, *shape, *output, *after)


@_convolve.register_fake
def _(codes: Tensor, zero: int, weight: Tensor) -> Tensor:
    shape = (len(codes), len(weight), *codes.shape[2:])
    return codes.new_empty(shape, dtype=torch.float32).to(memory_format=torch.channels_last)


@torch.library.custom_op("scales::correlate", mutates_args=())
def _correlate(bits: Tensor, gradient: Tensor, size: int) -> Tensor:
    """The gradient [Co, Ci, size, size], float32, of the weights: sums over all positions of int8 products.

    Both are laid out as rows of channels, with as many zeros around the pictures of bits as behind each row and picture
    of gradients: so each tap of the kernel is the same products with the bits begun further on, which copies none.
    """
    margin = size - 1
    row = bits.shape[3] + margin
    given = functional.pad(bits.permute(0, 2, 3, 1), (0, 0, *[margin // 2] * 4)).flatten(0, 2)
    wanted = functional.pad(gradient.permute(0, 2, 3, 1), (0, 0, 0, margin, 0, margin)).flatten(0, 2)
    starts = [top * row + left for top in range(size) for left in range(size)]
    length = len(given) - starts[-1]
    products = [torch._int_mm(wanted[:length].t(), given[start : start + length]) for start in starts]
    return torch.stack(products, dim=-1).unflatten(-1, (size, size)).to(torch.float32)


@_correlate.register_fake
def _(bits: Tensor, gradient: Tensor, size: int) -> Tensor:
    return bits.new_empty((gradient.shape[1], bits.shape[1], size, size), dtype=torch.float32)
