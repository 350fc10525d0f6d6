"""Self-ensemble: the mean of what a network gives for a picture in up to eight flips and turns, turned back.

Each turned picture is computed as a picture of its own, with channel gates of its own. Residuals are rounded to
multiples of 2^-24 and added as integers, so that neither order nor tiles nor threads change the mean. A picture that
comes turned has the same mean, turned.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine import native_module as native
from scales_cli.engine.base import (
    ArrayPlanes,
    Engine,
    Planes,
    PlaneSource,
    Region,
    Residual,
    TiledEngine,
    not_finite,
)
from scales_cli.engine.symmetry import SYMMETRIES, Symmetry, TurnedPlanes
from scales_cli.engine.tiling import Tiling, residual_bytes
from scales_cli.errors import UsageError
from scales_cli.system.progress import Progress
from scales_cli.system.threads import ThreadPool

COUNTS = (1, 2, 4, 8)
_UNIT = 2.0**-24  # of what `add_residual` adds
_GIVEN_ROWS = 32  # of a band, at a time
_JOB_ROWS = 128  # that a thread adds at a time

Integers = NDArray[np.int32]
Stencil = Callable[[Region], Iterator[Residual]]  # a turned picture's network with its gates


def ensemble_of(engine: Engine, count: int) -> Engine:
    """The engine itself for one picture, else its `SelfEnsemble`. Raises `UsageError` for a count there is not."""
    if not isinstance(count, Integral) or count not in COUNTS:
        raise UsageError(f"ensemble is {count!r}", "give 1, 2, 4 or 8")
    return engine if count == 1 else SelfEnsemble(engine, int(count))


class SelfEnsemble:
    """An engine over another one, `count` (2, 4 or 8) times as slow."""

    def __init__(self, engine: Engine, count: int) -> None:
        self.spec = engine.spec
        self._engine, self._symmetries = engine, SYMMETRIES[:count]
        self._tiled = engine if isinstance(engine, TiledEngine) else None
        self.pool = self._tiled.pool if self._tiled else ThreadPool(1)

    def plan(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling | None, int]:
        spec = self.spec
        sum_bytes = 4 * spec.colors + (2 if spec.has_chroma else 0)  # chroma is small: 8 bytes for scale^2 pixels
        out_row = spec.scale**2 * width
        if self._tiled is None or not self._streams(height, width):
            sums = height * out_row * sum_bytes
            sides = [(height, width), (width, height)]
            needs = [self._engine.plan(*side, budget=budget, pixel_bytes=pixel_bytes)[1] for side in sides]
            return None, max(needs) + sums
        given = min(height, _GIVEN_ROWS) * out_row * (residual_bytes(spec) + 1 + pixel_bytes)
        tiling, need = self._tiled.plan_regions(height, width, budget=budget - given, pixel_bytes=sum_bytes, tile=tile)
        return tiling, need + given

    def residual(self, planes: Planes) -> Planes:
        pieces = [piece.planes for piece in self.residual_rows(ArrayPlanes(planes))]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Residual]:
        height, width = source.height, source.width
        report = progress or (lambda fraction: None)
        turned = [TurnedPlanes(source, symmetry) for symmetry in self._symmetries]
        if self._tiled is None or not self._streams(height, width):
            yield self._whole_image(turned, height, width, report)
            return
        if tiling is None:
            tiling, _ = self.plan(height, width, budget=2**62, pixel_bytes=0)
            assert tiling is not None
        stencils = [partial(self._tiled.region, planes, self._tiled.fix_gates(planes)) for planes in turned]
        for top in range(0, height, tiling.rows):
            bottom = min(top + tiling.rows, height)
            sums = self._band(stencils, tiling, Region(top, bottom, 0, width), height, report)
            for row in range(0, bottom - top, _GIVEN_ROWS):
                yield sums.mean(row, min(row + _GIVEN_ROWS, bottom - top))

    def fix_gates(self, source: PlaneSource) -> tuple[Any, ...]:
        """Those of each of the picture's turned ones."""
        engine = self._regional()
        return tuple(engine.fix_gates(TurnedPlanes(source, symmetry)) for symmetry in self._symmetries)

    def region(self, source: PlaneSource, gates: tuple[Any, ...], region: Region) -> Iterator[Residual]:
        """In one piece."""
        engine, alone = self._regional(), ThreadPool(1)
        rows = region.bottom - region.top
        sums = self._sums(rows, region.right - region.left)
        for symmetry, fixed in zip(self._symmetries, gates, strict=True):
            row, place = 0, symmetry.place(region, source.height, source.width)
            for residual in engine.region(TurnedPlanes(source, symmetry), fixed, place):
                sums.add(residual, symmetry, row, alone)
                row += residual.planes.shape[1] // self.spec.scale
                del residual
        yield sums.mean(0, rows)

    def _regional(self) -> TiledEngine:
        if self._tiled is None:
            raise UsageError("this network has no gates that can be fixed", "leave --ensemble out")
        return self._tiled

    def _streams(self, height: int, width: int) -> bool:
        """Upright and sideways: all of a picture's turned ones are computed alike."""
        tiled = self._tiled
        return tiled is not None and (tiled.streams(height, width) or tiled.streams(width, height))

    def _whole_image(self, turned: list[TurnedPlanes], height: int, width: int, report: Progress) -> Residual:
        count, sums = len(turned), self._sums(height, width)
        for index, (symmetry, planes) in enumerate(zip(self._symmetries, turned, strict=True)):
            part = partial(_report_part, report, index, count)
            for residual in self._engine.residual_rows(planes, progress=part):
                sums.add(residual, symmetry, 0, self.pool)
                del residual
        return sums.mean(0, height)

    def _band(self, stencils: Sequence[Stencil], tiling: Tiling, band: Region, height: int, report: Progress) -> _Sums:
        """The sums of a band, whose tiles are begun and finished one after the other by each thread."""
        sums = self._sums(band.bottom - band.top, band.right)
        stopped, lock, alone = threading.Event(), threading.Lock(), ThreadPool(1)
        done = 0

        def add(left: int, right: int) -> None:
            nonlocal done
            region, inner = band._replace(left=left, right=right), sums.columns(left, right)
            for symmetry, stencil in zip(self._symmetries, stencils, strict=True):
                row = 0
                for residual in stencil(symmetry.place(region, height, band.right)):
                    if stopped.is_set():
                        return
                    inner.add(residual, symmetry, row, alone)
                    row += residual.planes.shape[1] // self.spec.scale
                    del residual
                with lock:
                    done += right - left
                    share = done / (band.right * len(stencils))
                    report((band.top + share * (band.bottom - band.top)) / height)

        self.pool.run((partial(add, *tile) for tile in tiling.tiles(band.right)), stop=stopped.set)
        return sums

    def _sums(self, rows: int, width: int) -> _Sums:
        spec = self.spec
        chroma = np.zeros((2, rows, width), np.int32) if spec.has_chroma else None
        planes = np.zeros((spec.colors, spec.scale * rows, spec.scale * width), np.int32)
        return _Sums(planes, chroma, spec.scale, len(self._symmetries))


@dataclass(frozen=True)
class _Sums:
    """Sums of `count` residuals in multiples of `_UNIT`, of the shapes of `Residual`."""

    planes: Integers
    chroma: Integers | None
    scale: int
    count: int

    def columns(self, left: int, right: int) -> _Sums:
        """A view of LR columns [left, right)."""
        planes = self.planes[..., self.scale * left : self.scale * right]
        return replace(self, planes=planes, chroma=None if self.chroma is None else self.chroma[..., left:right])

    def add(self, residual: Residual, symmetry: Symmetry, row: int, threads: ThreadPool) -> None:
        """Adds what the network gave for rows from `row` on of the turned picture."""
        for sums, added, scale in zip((self.planes, self.chroma), residual, (self.scale, 1), strict=True):
            if sums is not None and added is not None:
                rows = symmetry.turn(sums)[:, scale * row : scale * row + added.shape[1]]
                parts = (np.s_[:, y : y + _JOB_ROWS] for y in range(0, added.shape[1], _JOB_ROWS))
                threads.run(partial(_add, rows[part], added[part]) for part in parts)

    def mean(self, begin: int, end: int) -> Residual:
        """Of LR rows [begin, end)."""
        factor = np.float32(_UNIT / self.count)  # a power of two: the only rounding is that to float32
        planes = self.planes[:, self.scale * begin : self.scale * end].astype(np.float32)
        chroma = None if self.chroma is None else self.chroma[:, begin:end].astype(np.float32) * factor
        return Residual(np.multiply(planes, factor, out=planes), chroma)


def _add(sums: Integers, added: Planes) -> None:
    if not native.add_residual(np.ascontiguousarray(added), sums):
        raise not_finite()


def _report_part(report: Progress, index: int, count: int, fraction: float) -> None:
    report((index + fraction) / count)
