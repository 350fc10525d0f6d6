"""What every engine does, and what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import WeightsError
from scales_cli.system.progress import Progress
from scales_cli.system.threads import ThreadPool

Planes = NDArray[np.float32]


class Residual(NamedTuple):
    """What a network adds to rows of a picture, float32 in units of the full range.

    `planes` [colors, scale * rows, scale * W] goes to the bicubically upscaled planes, `chroma` [2, rows, W] to the
    blue and red difference at LR size, if the network gives it.
    """

    planes: Planes
    chroma: Planes | None = None


def new_residual(spec: NetworkSpec, rows: int, columns: int) -> Residual:
    """One for an area of so many LR pixels, to be filled."""
    planes = np.empty((spec.colors, spec.scale * rows, spec.scale * columns), np.float32)
    return Residual(planes, np.empty((2, rows, columns), np.float32) if spec.has_chroma else None)


class Region(NamedTuple):
    """LR rows [top, bottom) and columns [left, right) of a picture."""

    top: int
    bottom: int
    left: int
    right: int


class PlaneSource(Protocol):
    """A picture's planes, read piece by piece: a large picture's are never all in memory."""

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...

    def read(self, top: int, bottom: int, left: int, right: int) -> Planes:
        """Rows [top, bottom) and columns [left, right), float32 [inputs, rows, columns] in [0, 1], contiguous."""
        ...


class ArrayPlanes:
    """Planes that are in memory, [inputs, H, W]."""

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
        """The planes of `residual_rows`, of planes [inputs, H, W], in one array."""
        ...

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Residual]:
        """What the network adds to the bicubically upscaled planes, in pieces from the top down.

        `tiling` concerns large pictures only, and nothing but time and memory. `progress` receives fractions up to 1.
        """
        ...


@runtime_checkable
class RegionalEngine(Engine, Protocol):
    """An engine that computes regions of a picture, on the threads of its `pool`, once its gates are fixed."""

    @property
    def pool(self) -> ThreadPool: ...

    def fix_gates(self, source: PlaneSource) -> Any:
        """The channel gates of a picture that is too large to be passed as a whole, or of a scene of video."""
        ...

    def region(self, source: PlaneSource, gates: Any, region: Region) -> Iterator[Residual]:
        """What the network with these gates gives for a region, some rows at a time from the top down."""
        ...


@runtime_checkable
class TiledEngine(RegionalEngine, Protocol):
    """An engine that computes large pictures region by region."""

    def streams(self, height: int, width: int) -> bool:
        """Whether a picture is too large to be passed as a whole."""
        ...

    def plan_regions(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling, int]:
        """The bands and tiles, finished one after the other by each thread, that suit a picture and `budget` best.

        With it, the working memory, as `plan` gives it. `pixel_bytes` is what an output pixel of a band takes beside.
        """
        ...


def not_finite() -> WeightsError:
    return WeightsError("the network gave values that are not numbers", "the model is unusable; choose another")
