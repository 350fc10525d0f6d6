"""What every engine does, and how one is opened."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scales_cli.config import NetworkSpec
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import ScalesError, UsageError
from scales_cli.weights.packed import load_packed
from scales_cli.weights.packed_file import PackedWeights
from scales_cli.weights.packed_layers import PackedLayers
from scales_cli.weights.packed_srresnet import PackedSRResNet

Planes = NDArray[np.float32]
Progress = Callable[[float], None]
Backend = Literal["native", "torch"]


class PlaneSource(Protocol):
    """A picture's planes, read piece by piece: a large picture's are never all in memory."""

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...

    def read(self, top: int, bottom: int, left: int, right: int) -> Planes:
        """Rows [top, bottom) and columns [left, right), float32 [colors, rows, columns] in [0, 1], contiguous."""
        ...


class ArrayPlanes:
    """Planes that are in memory, [colors, H, W]."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        _, self.height, self.width = planes.shape

    def read(self, top: int, bottom: int, left: int, right: int) -> Planes:
        return np.ascontiguousarray(self._planes[:, top:bottom, left:right])


class Engine(Protocol):
    """A network that runs."""

    @property
    def spec(self) -> NetworkSpec: ...

    def plan(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling | None, int]:
        """The tiling that suits a picture and `budget` bytes of working memory best, and what it takes.

        That may be more than the budget; then it is the least. None stands for pictures that are passed as a whole.
        `pixel_bytes` is what an output pixel takes between the network and the file, `tile` a side that is asked for.
        """
        ...

    def residual(self, planes: Planes) -> Planes:
        """`residual_rows` of planes [colors, H, W] in one array."""
        ...

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Planes]:
        """What the network adds to the bicubically upscaled planes, in pieces from the top down.

        Pieces are float32 [colors, scale * rows, scale * W] in units of the full range. `tiling` concerns large
        pictures only, and nothing but time and memory. `progress` receives fractions up to 1.
        """
        ...


def needs_torch(spec: NetworkSpec) -> bool:
    """Whether the native engine cannot run it alone."""
    return spec.backbone != "srresnet"


def check_engine(weights: PackedWeights, backend: Backend = "native") -> None:
    """Raises `ScalesError` where torch, which these weights need, is not installed."""
    if (backend != "native" or needs_torch(weights.spec)) and not importlib.util.find_spec("torch"):
        raise ScalesError(
            f"{weights.spec.backbone} models need torch", 'install it with: pip install "scales-cli[train]"'
        )


def load_engine(
    weights: PackedWeights | str | os.PathLike[str], backend: Backend = "native", threads: int | None = None
) -> Engine:
    """Opens packed weights or a file of them."""
    if not isinstance(weights, PackedWeights):
        weights = load_packed(Path(weights))
    if backend == "native" and isinstance(weights, PackedSRResNet):
        from scales_cli.engine.native_engine import NativeEngine

        return NativeEngine(weights, threads)
    check_engine(weights, backend)
    if backend == "native" and isinstance(weights, PackedLayers):
        from scales_cli.engine.hybrid_engine import HybridEngine

        return HybridEngine(weights, threads)
    if backend == "torch":
        from scales_cli.engine.packing import unpack
        from scales_cli.engine.torch_engine import TorchEngine

        return TorchEngine(unpack(weights))
    raise UsageError(f"unknown engine {backend!r}", "use native or torch")
