"""The convolution of signs in whole numbers of 8 bits, by kernels of the native engine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from scales_cli.engine import native_module as native
from scales_cli.errors import ScalesError, UsageError
from scales_cli.system.threads import ThreadPool

LEVELS = 127


def is_faster_here() -> bool:
    """Whether the native engine is built, and products of bytes by it are faster on this CPU than those of float32."""
    try:
        return native.byte_products_pay()
    except UsageError:  # SCALES_ISA names no kernels
        raise
    except ScalesError:
        return False


def convolve_signs(bits: Tensor, weight: Tensor) -> Tensor:
    """The zero-padded convolution of +-1 [B, Ci, H, W] with +-1 [Co, Ci, k, k], float32 [B, Co, H, W], exact.

    Its gradients are sums of the output's, which is rounded to 15 bits: to steps of 1/32 000 of its largest. Eight bits
    would not do: of trained networks half its numbers are below 1/50 of the deviation, the largest 50 to 150 times it.
    """
    return _SignConvolution.apply(bits, weight)


class _SignConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, bits: Tensor, weight: Tensor) -> Tensor:
        # Of a run that diverges they may be NaN, which is no sign; its loss says so.
        codes, weight = 2 * (bits > 0).to(torch.uint8), 2 * (weight > 0).to(torch.int8) - 1
        ctx.save_for_backward(codes, weight)
        return _convolve(codes, 1, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        codes, weight = ctx.saved_tensors
        turned = weight.flip(2, 3).transpose(0, 1)
        of_bits = of_weight = torch.zeros(())
        step = (gradient.abs().amax() / LEVELS).clamp(min=torch.finfo(torch.float32).tiny)
        for _ in range(2):  # once for the upper 8 bits, once for what is left of them
            digits = (gradient / step).round().clamp(-LEVELS, LEVELS)
            gradient = gradient - digits * step
            of_bits = of_bits + _convolve((digits + 128).to(torch.uint8), 128, turned) * step
            of_weight = of_weight + _correlate(codes, digits.to(torch.int8), weight.shape[-1]) * step
            step = step / (2 * LEVELS)
        return of_bits, of_weight


# These two are opaque to torch.compile, which fuses what is around them.


@torch.library.custom_op("scales::convolve", mutates_args=())
def _convolve(codes: Tensor, zero: int, weight: Tensor) -> Tensor:
    """The convolution of the numbers that the uint8 `codes` are, less `zero`, with int8 weights."""
    pixels, weights = _channels_last(codes), weight.contiguous()
    out = torch.empty(*pixels.shape[:3], len(weight), dtype=torch.float32)
    rows = pixels.shape[0] * pixels.shape[1]

    def convolve(begin: int, end: int) -> None:
        native.convolve_signs(pixels.numpy(), zero, weights.numpy(), begin, end, out.numpy())

    _share(rows, convolve)
    return out.permute(0, 3, 1, 2)


@_convolve.register_fake
def _(codes: Tensor, zero: int, weight: Tensor) -> Tensor:
    batch, _, height, width = codes.shape
    return codes.new_empty((batch, height, width, len(weight)), dtype=torch.float32).permute(0, 3, 1, 2)


@torch.library.custom_op("scales::correlate", mutates_args=())
def _correlate(codes: Tensor, gradient: Tensor, size: int) -> Tensor:
    """The gradient [Co, Ci, size, size], float32, of the weights: sums over all positions of int8 products."""
    pixels, gradients = _channels_last(codes), _channels_last(gradient)
    sums: list[Tensor] = []

    def correlate(begin: int, end: int) -> None:
        share = torch.empty(gradient.shape[1], codes.shape[1], size, size, dtype=torch.int32)
        native.correlate_signs(pixels[begin:end].numpy(), gradients[begin:end].numpy(), share.numpy())
        sums.append(share)

    _share(len(codes), correlate)
    return torch.stack(sums).sum(0).to(torch.float32)


@_correlate.register_fake
def _(codes: Tensor, gradient: Tensor, size: int) -> Tensor:
    return codes.new_empty((gradient.shape[1], codes.shape[1], size, size), dtype=torch.float32)


def _channels_last(picture: Tensor) -> Tensor:
    """[B, C, H, W] as contiguous [B, H, W, C]."""
    return picture.permute(0, 2, 3, 1).contiguous()


def _share(count: int, task: Callable[[int, int], None]) -> None:
    """Gives each of torch's threads a part [begin, end) of so many rows or pictures."""
    parts = min(torch.get_num_threads(), count)
    edges = [count * part // parts for part in range(parts + 1)]
    _threads(parts).run(functools.partial(task, *part) for part in pairwise(edges))


@functools.cache
def _threads(count: int) -> ThreadPool:
    return ThreadPool(count)
