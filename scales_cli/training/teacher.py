"""A trained network whose pictures another one learns from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor

from scales_cli.engine.load import load_engine
from scales_cli.engine.torch.packing import pack
from scales_cli.errors import ScalesError
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.training.device import use_fast_products

Enlarge = Callable[[Tensor], Tensor]


def open_teacher(source: Checkpoint, device: torch.device) -> Enlarge:
    """[1, C, H, W] in [0, 1] -> [1, C, sH, sW].

    On a CPU a 1-bit network that the native engine can run alone does run there, if that is built: in torch, all
    pictures in eight ways by a teacher of 32 layers would take longer than many a training.
    """
    network, spec = source.network().requires_grad_(False).eval(), source.config.network
    if device.type == "cpu" and spec.runs_natively and spec.layers == "scales":
        with contextlib.suppress(ScalesError):
            engine = load_engine(pack(network, {}))
            return lambda lr: network.bicubic(lr) + torch.from_numpy(engine.residual(lr[0].contiguous().numpy()))
    network.to(device, memory_format=torch.channels_last)
    use_fast_products(network, device)
    return network


@torch.no_grad()
def self_ensemble(network: Enlarge, lr: Tensor) -> Tensor:
    """The mean of the network's pictures of `lr` [B, C, H, W] in all eight flips and turns, turned back."""
    pictures = []
    for turns in range(4):
        for flip in ([], [3]):
            sr = network(lr.rot90(turns, (2, 3)).flip(flip))
            pictures.append(sr.flip(flip).rot90(-turns, (2, 3)))
    return torch.stack(pictures).mean(dim=0)
