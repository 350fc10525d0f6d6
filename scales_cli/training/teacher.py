"""A trained network whose pictures another one learns from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor

from scales_cli.engine.base import Engine
from scales_cli.engine.ensemble import SelfEnsemble
from scales_cli.engine.load import load_engine
from scales_cli.engine.torch.packing import pack
from scales_cli.engine.torch.reference_engine import ReferenceEngine
from scales_cli.errors import ScalesError
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.training.device import use_fast_products

Enlarge = Callable[[Tensor], Tensor]


def open_teacher(source: Checkpoint, device: torch.device) -> Enlarge:
    """[1, C, H, W] in [0, 1] -> [1, C, sH, sW] by the mean over all eight flips and turns, on the same device."""
    ensemble, bicubic = SelfEnsemble(open_engine(source, device), 8), source.network().bicubic.to(device)

    def enlarge(lr: Tensor) -> Tensor:
        residual = ensemble.residual(lr[0].cpu().contiguous().numpy())
        return bicubic(lr) + torch.from_numpy(residual).to(lr.device)

    return enlarge


def open_engine(source: Checkpoint, device: torch.device) -> Engine:
    """The averaged network of a checkpoint.

    On a CPU a 1-bit network that the native engine can run alone does run there, if that is built: in torch, all
    pictures in eight ways by a teacher of 32 layers would take longer than many a training.
    """
    network, spec = source.network(), source.config.network
    if device.type == "cpu" and spec.runs_natively and spec.layers == "scales":
        with contextlib.suppress(ScalesError):
            return load_engine(pack(network, {}))
    use_fast_products(network, device)
    return ReferenceEngine(network, str(device))
