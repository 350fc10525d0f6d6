"""Weights that depend on the whole picture, fixed so that parts of it can be computed alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from scales_cli.layers.rescaling import ChannelwiseRescaling
from scales_cli.networks.base import Network
from scales_cli.networks.blocks import ChannelAttention

Gates = Mapping[nn.Module, Tensor]


def gates_of(network: Network) -> list[nn.Module]:
    """The modules that give a weight to each channel from its mean over the picture."""
    return [module for module in network.modules() if isinstance(module, (ChannelwiseRescaling, ChannelAttention))]


@torch.inference_mode()
def measure_gates(network: Network, windows: Tensor) -> Gates:
    """What each gate gives for means over all `windows` [N, inputs, H, W] together, [1, C, 1, 1]."""
    measured: dict[nn.Module, Tensor] = {}

    def pool(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0].mean(dim=(0, 2, 3), keepdim=True),)

    def keep(module: nn.Module, inputs: tuple[Tensor], gate: Tensor) -> Tensor:
        measured[module] = gate
        return gate.expand(len(windows), -1, -1, -1)

    with contextlib.ExitStack() as hooks:
        for module in gates_of(network):
            hooks.callback(module.register_forward_pre_hook(pool).remove)
            hooks.callback(module.register_forward_hook(keep).remove)
        network.residual(windows)
    return measured


@contextlib.contextmanager
def fixed_gates(network: Network, gates: Gates) -> Iterator[None]:
    """Within, every gate gives what was measured, whatever its input."""
    with contextlib.ExitStack() as hooks:
        for module in gates_of(network):
            hooks.callback(module.register_forward_hook(lambda module, inputs, gate: gates[module]).remove)
        yield
