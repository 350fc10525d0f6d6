"""The layers of a packed network in torch, computed on bits by the native kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine import native_module as native
from scales_cli.errors import UsageError, WeightsError
from scales_cli.layers.families import Layers, choose_layers
from scales_cli.layers.rescaling import ChannelwiseRescaling
from scales_cli.networks.base import Network
from scales_cli.networks.build import build_network
from scales_cli.system.threads import ThreadPool
from scales_cli.weights.packed import PackedWeights

_TASK_PIXELS = 2**12


class NativeLayer(nn.Module):
    """What both kinds share: pixels [B, H, W, Ci] to [B, H, W, Co]."""

    kernel: native.ChannelsLastLayer

    def __init__(self, in_feats: int, out_feats: int, kernel_size: int, *, skip: bool, threads: ThreadPool) -> None:
        super().__init__()
        self.shape = (out_feats, kernel_size**2, in_feats)
        self.has_skip = skip
        self._threads = threads

    def load(self, name: str, tensors: dict[str, NDArray[Any]]) -> None:
        """Takes the layer's own out of `tensors`; raises `WeightsError` where one is missing or does not fit."""
        outputs, taps, inputs = self.shape

        def take(key: str, *shape: int) -> NDArray[Any]:
            array = tensors.pop(f"{name}.{key}", None)
            if array is None or array.size != int(np.prod(shape)):
                raise WeightsError(f"tensor {name}.{key} is missing or has the wrong shape", "export the model again")
            return np.ascontiguousarray(array.reshape(shape))

        shift_in, slope, shift_out = self.activation(take)
        self.kernel = native.ChannelsLastLayer(
            bits=take("bits", outputs, taps, -(-inputs // 64)),
            threshold=take("threshold", inputs),
            scale=take("scale", outputs),
            spatial=take("spatial", inputs),
            spatial_bias=float(take("spatial_bias", 1)[0]),
            shift_in=shift_in,
            slope=slope,
            shift_out=shift_out,
            skip=self.has_skip,
        )

    def activation(self, take: Callable[..., NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """An RPReLU's shift_in, slope and shift_out."""
        raise NotImplementedError

    def compute(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """`gate` is a factor of each output, [B, Co]."""
        x = x.contiguous()
        out = torch.empty(*x.shape[:-1], self.shape[0])
        for index in range(len(x)):
            factors = None if gate is None else gate[index].contiguous().numpy()
            run = functools.partial(self.kernel.run, x[index].numpy(), out=out[index].numpy(), gate=factors)
            height, width = x.shape[1:3]
            step = max(1, _TASK_PIXELS // width)
            self._threads.run(functools.partial(run, y, min(y + step, height)) for y in range(0, height, step))
        return out


class NativeLinear(NativeLayer):
    """`ScalesLinear` on tokens [B, H, W, Ci]."""

    def __init__(
        self, in_feats: int, out_feats: int, *, inner: bool = False, skip: bool = True, threads: ThreadPool
    ) -> None:
        super().__init__(in_feats, out_feats, 1, skip=skip and inner and in_feats == out_feats, threads=threads)

    def activation(self, take: Callable[..., NDArray[Any]]) -> Iterator[NDArray[Any]]:
        outputs = self.shape[0]
        yield np.zeros(outputs, np.float32)
        yield np.ones(outputs, np.float32)
        yield take("bias", outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(x)


class NativeConv2d(NativeLayer):
    """`ScalesConv2d` on [B, Ci, H, W], best in the channels-last layout."""

    stream_slope = None

    def __init__(
        self,
        n_feats: int,
        out_feats: int | None = None,
        kernel_size: int = 3,
        *,
        channel_kernel: int | None,
        threads: ThreadPool,
    ) -> None:
        outputs = out_feats or n_feats
        super().__init__(n_feats, outputs, kernel_size, skip=outputs == n_feats, threads=threads)
        has_gate = channel_kernel is not None and outputs == n_feats
        self.channel = ChannelwiseRescaling(channel_kernel, gate_factor=1.0) if has_gate and channel_kernel else None

    def activation(self, take: Callable[..., NDArray[Any]]) -> Iterator[NDArray[Any]]:
        return (take(key, self.shape[0]) for key in ("shift_in", "slope", "shift_out"))

    def forward(self, x: Tensor) -> Tensor:
        gate = None if self.channel is None else self.channel(x)[:, :, 0, 0]
        return self.compute(x.permute(0, 2, 3, 1), gate).permute(0, 3, 1, 2)


class NativeAttention:
    """`networks.windows.attend_in_windows` by the native kernels, without copies of the tokens in windows' order."""

    def __init__(self, window: int, shift: int, *, threads: ThreadPool) -> None:
        self._windows = (window, -shift % window)  # the kernels' grid begins as far outside of the picture
        self._threads = threads

    def __call__(self, bias: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        attention = native.WindowAttention(bias.contiguous().numpy(), *self._windows)
        out = torch.empty_like(query)
        rows = attention.window_rows(query.shape[1])
        for pictures in zip(query, key, value, out, strict=True):
            tokens = dict(zip(("query", "key", "value", "out"), (item.numpy() for item in pictures), strict=True))
            run = functools.partial(attention.run, **tokens)
            self._threads.run(functools.partial(run, begin=row, end=row + 1) for row in range(rows))
        return out


def native_layers(spec: NetworkSpec, threads: ThreadPool) -> Layers:
    """The family of layers that a packed file of `spec` fills."""
    choose_layers(spec)  # raises what it has against the options
    has_gate = spec.conv_options.get("channel", True)
    kernel = int(spec.conv_options.get("channel_kernel", 5)) if has_gate else None
    conv = functools.partial(NativeConv2d, channel_kernel=kernel, threads=threads)
    linear = functools.partial(NativeLinear, skip=bool(spec.linear_options.get("skip", True)), threads=threads)
    return Layers(conv, linear, conv, functools.partial(NativeAttention, threads=threads))


def open_network(weights: PackedWeights, threads: ThreadPool) -> Network:
    """A network of packed layers; raises `WeightsError` where the file's tensors are not those that its spec asks for.

    It is built without memory first: a spec from a file may ask for anything.
    """
    try:
        layers = native_layers(weights.spec, threads)
        with torch.device("meta"):
            expected = build_network(weights.spec, layers).state_dict()
        for name, value in expected.items():
            if name not in weights.tensors or weights.tensors[name].shape != tuple(value.shape):
                raise WeightsError(f"tensor {name} is missing or has the wrong shape", "export the model again")
        network, left = build_network(weights.spec, layers), dict(weights.tensors)
        for name, module in network.named_modules():
            if isinstance(module, NativeLayer):
                module.load(name, left)
        if unknown := set(left) - set(expected):
            raise WeightsError(f"unknown tensors: {', '.join(sorted(unknown))}", "export the model again")
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in left.items()})
    except (UsageError, ValueError) as error:  # sizes that torch or the kernels do not know
        raise WeightsError(f"a network of this spec cannot be built: {error}", "update scales-cli") from error
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)
