"""Opens an engine for packed weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from scales_cli.engine.base import Engine
from scales_cli.errors import UsageError
from scales_cli.system.extras import require
from scales_cli.weights.packed import PackedWeights, load_packed

Backend = Literal["native", "torch"]


def check_engine(weights: PackedWeights, backend: Backend = "native") -> None:
    """Raises `ScalesError` if these weights need torch and it is not installed."""
    if backend != "native" or not weights.spec.runs_natively:
        require("torch", "torch", f"{weights.spec.backbone} models need torch")


def load_engine(
    weights: PackedWeights | str | os.PathLike[str], backend: Backend = "native", threads: int | None = None
) -> Engine:
    """Opens packed weights or a file of them."""
    if not isinstance(weights, PackedWeights):
        weights = load_packed(Path(weights))
    if backend == "native" and weights.spec.runs_natively:
        from scales_cli.engine.native_engine import NativeEngine

        return NativeEngine(weights, threads)
    check_engine(weights, backend)
    if backend == "native":
        from scales_cli.engine.torch.hybrid_engine import HybridEngine

        return HybridEngine(weights, threads)
    if backend == "torch":
        from scales_cli.engine.torch.packing import unpack
        from scales_cli.engine.torch.reference_engine import ReferenceEngine

        return ReferenceEngine(unpack(weights))
    raise UsageError(f"unknown engine {backend!r}", "use native or torch")
