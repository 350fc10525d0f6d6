"""The convolution of signs in whole numbers of 8 bits, by kernels of the native engine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scales_cli.engine import native_module as native
from scales_cli.errors import ScalesError
from scales_cli.system.threads import ThreadPool

GRADIENT_RANGE = 10.0  # deviations; what is beyond them is clipped, as little as one in a thousand numbers is
LEVELS = 127


def is_faster_here() -> bool:
    """Whether the native engine is built and this CPU multiplies bytes faster than float32."""
    try:
        return native.multiplies_bytes()
    except ScalesError:
        return False


def convolve_signs(bits: Tensor, weight: Tensor) -> Tensor:
    """The zero-padded convolution of +-1 [B, Ci, H, W] with +-1 [Co, Ci, k, k], float32 [B, Co, H, W], exact.

    Its gradients are sums of the output's, which is rounded to 8 bits: to steps of 1/13 of its deviation.
    """
    return _SignConvolution.apply(bits, weight)


class _SignConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, bits: Tensor, weight: Tensor) -> Tensor:
        codes, weight = (bits + 1).to(torch.uint8), weight.to(torch.int8)
        ctx.save_for_backward(codes, weight)
        return _convolve(codes, 1, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        codes, weight = ctx.saved_tensors
        deviation = gradient.square().mean().sqrt()
        step = (deviation * (GRADIENT_RANGE / LEVELS)).clamp(min=torch.finfo(torch.float32).tiny)
        gradient = (gradient / step).round().clamp(-LEVELS, LEVELS)
        turned = weight.flip(2, 3).transpose(0, 1)
        of_bits = _convolve((gradient + 128).to(torch.uint8), 128, turned) * step
        return of_bits, _correlate(codes, gradient.to(torch.int8), weight.shape[-1]) * step


# These two are opaque to torch.compile, which fuses what is around them.


@torch.library.custom_op("scales::convolve", mutates_args=())
def _convolve(codes: Tensor, zero: int, weight: Tensor) -> Tensor:
    """The convolution of the numbers that the uint8 `codes` are, less `zero`, with int8 weights."""
    pixels, weights = _channels_last(codes), weight.contiguous().numpy()
    out = torch.empty(*pixels.shape[:3], len(weight))

    def convolve(part: slice) -> None:
        native.convolve_signs(pixels[part].numpy(), zero, weights, out[part].numpy())

    _in_parts(convolve, len(codes))
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

    def correlate(part: slice) -> None:
        sums.append(torch.empty(gradient.shape[1], codes.shape[1], size, size, dtype=torch.int32))
        native.correlate_signs(pixels[part].numpy(), gradients[part].numpy(), sums[-1].numpy())

    _in_parts(correlate, len(codes))
    return torch.stack(sums).sum(0).to(torch.float32)


@_correlate.register_fake
def _(codes: Tensor, gradient: Tensor, size: int) -> Tensor:
    return codes.new_empty((gradient.shape[1], codes.shape[1], size, size), dtype=torch.float32)


def _channels_last(picture: Tensor) -> Tensor:
    """[B, C, H, W] as contiguous [B, H, W, C]."""
    return picture.permute(0, 2, 3, 1).contiguous()


def _in_parts(task: Callable[[slice], None], count: int) -> None:
    """Runs a task on each thread's share of so many pictures."""
    parts = min(torch.get_num_threads(), count)
    shares = [slice(count * part // parts, count * (part + 1) // parts) for part in range(parts)]
    _threads(parts).run(functools.partial(task, share) for share in shares)


@functools.cache
def _threads(count: int) -> ThreadPool:
    return ThreadPool(count)
