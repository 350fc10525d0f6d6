"""What every engine does, and how one is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scales_cli.config import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.weights.packed import PackedWeights

Planes = NDArray[np.float32]
Progress = Callable[[float], None]
Backend = Literal["native", "torch"]


class Engine(Protocol):
    """A network that runs."""

    @property
    def spec(self) -> NetworkSpec: ...

    def residual(self, planes: Planes, *, progress: Progress | None = None) -> Planes:
        """What the network adds to the bicubically upscaled planes.

        `planes` is float32 [colors, H, W] in [0, 1], the result float32 [colors, scale * H, scale * W] in the same
        units. `progress` receives fractions up to 1.
        """
        ...


def load_engine(
    weights: PackedWeights | str | os.PathLike[str], backend: Backend = "native", threads: int | None = None
) -> Engine:
    """Opens packed weights or a file of them."""
    if not isinstance(weights, PackedWeights):
        weights = PackedWeights.load(Path(weights))
    if backend == "native":
        from scales_cli.engine.native_engine import NativeEngine

        return NativeEngine(weights, threads)
    if backend == "torch":
        from scales_cli.engine.torch_engine import TorchEngine

        return TorchEngine(weights)
    raise UsageError(f"unknown engine {backend!r}", "use native or torch")
