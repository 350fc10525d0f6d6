"""Backbones other than SRResNet: binary layers on bits in the native kernels, everything else in torch.

A picture of more than `WHOLE_IMAGE_PIXELS` is computed in tiles with all the context that their output depends on, and
with weights that depend on the whole picture measured before on fixed windows of it. So tiles change the result a
little: the weights differ from those of the whole picture, and torch's sums in their last bits, which turns a sign now
and then. Tiled and untiled results mostly agree to more than 50 dB; those of the native engine are equal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import torch

from scales_cli.engine.base import Planes, PlaneSource, Region, Residual
from scales_cli.engine.gate_windows import ATTENTION_SIDE, gate_windows
from scales_cli.engine.tiling import Tiling
from scales_cli.engine.torch.gates import Gates, fixed_gates, gates_of, measure_gates
from scales_cli.engine.torch.native_layers import open_network
from scales_cli.engine.torch.spans import Span, context_of, span, spans
from scales_cli.system.progress import Progress
from scales_cli.system.resources import thread_count
from scales_cli.system.threads import ThreadPool
from scales_cli.weights.packed import PackedWeights

WHOLE_IMAGE_PIXELS = 2**16
_SIDES = (512, 384, 256, 192, 128, 96, 64, 48, 32)
_RESERVE = 32 * 2**20  # torch's own buffers


class HybridEngine:
    """`threads` also sets those of torch, for the whole process; in a process that was forked torch has but one."""

    def __init__(self, weights: PackedWeights, threads: int | None = None) -> None:
        self.spec = weights.spec
        self.threads = thread_count(threads)
        self.pool = ThreadPool(1)  # of whole tiles: torch shares one out itself
        torch.set_num_threads(self.threads)
        self._process = os.getpid()
        self.network = open_network(weights, ThreadPool(self.threads))
        self._context, self._window = context_of(self.spec), self.spec.window

    def plan(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling | None, int]:
        output = 4 * self.spec.colors + 1 + pixel_bytes
        if not self.streams(height, width):
            return None, self._bytes(height, width) + self.spec.scale**2 * height * width * output
        return self.plan_regions(height, width, budget=budget, pixel_bytes=output, tile=tile)

    def plan_regions(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling, int]:
        def need(side: int) -> int:
            rows, columns = (min(side + 2 * self._context, length) for length in (height, width))
            band = self.spec.scale**2 * width * min(side, height) * pixel_bytes
            return self._bytes(rows, columns) + band

        sides = [-(-side // self._window) * self._window for side in (_SIDES if tile is None else (tile,))]
        side = next((side for side in sides if need(side) <= budget), sides[-1])
        return Tiling(side, side, side), need(side)

    def streams(self, height: int, width: int) -> bool:
        return height * width > WHOLE_IMAGE_PIXELS

    def _bytes(self, height: int, width: int) -> int:
        return 4 * height * width * self.spec.n_feats * self.spec.live_features + _RESERVE

    def residual(self, planes: Planes) -> Planes:
        """[inputs, H, W] in [0, 1] -> what is to be added to the bicubic planes, [colors, sH, sW], untiled."""
        self._mind_forks()
        with torch.inference_mode():
            return self.network.residual(torch.from_numpy(planes)[None])[0].contiguous().numpy()

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Residual]:
        self._mind_forks()
        report = progress or (lambda fraction: None)
        if not self.streams(source.height, source.width):
            yield Residual(self.residual(source.read(0, source.height, 0, source.width)))
            report(1.0)
            return
        if tiling is None:
            tiling, _ = self.plan(source.height, source.width, budget=2**62, pixel_bytes=0)
            assert tiling is not None
        with fixed_gates(self.network, self.fix_gates(source)):
            yield from self.tiles(source, tiling.rows, report)

    def tiles(self, source: PlaneSource, side: int, report: Progress) -> Iterator[Residual]:
        """The output in bands of tiles, whose gates are the picture's own or fixed."""
        scale = self.spec.scale
        columns = list(spans(source.width, side, self._context))
        for y in spans(source.height, side, self._context):
            band = np.empty((self.spec.colors, scale * (y.end - y.begin), scale * source.width), np.float32)
            for done, x in enumerate(columns, 1):
                band[:, :, scale * x.begin : scale * x.end] = self._tile(source, y, x)
                report((y.begin + (y.end - y.begin) * done / len(columns)) / source.height)
            yield Residual(band)
            del band

    def _mind_forks(self) -> None:
        if self._process != os.getpid():  # torch would wait without end for threads that stayed with the parent
            torch.set_num_threads(1)
            self._process = os.getpid()

    def region(self, source: PlaneSource, gates: Gates, region: Region) -> Iterator[Residual]:
        """In one piece."""
        y = span(region.top, region.bottom, source.height, self._context, self._window)
        x = span(region.left, region.right, source.width, self._context, self._window)
        with fixed_gates(self.network, gates):
            tile = self._tile(source, y, x)
        yield Residual(tile)

    def _tile(self, source: PlaneSource, y: Span, x: Span) -> Planes:
        tile = self.residual(source.read(y.first, y.last, x.first, x.last))
        rows, columns = (
            slice(self.spec.scale * (s.begin - s.first), self.spec.scale * (s.end - s.first)) for s in (y, x)
        )
        return tile[:, rows, columns]

    def fix_gates(self, source: PlaneSource) -> Gates:
        """The gates of one picture, where the network has any."""
        self._mind_forks()
        if not gates_of(self.network):
            return {}
        windows = gate_windows(source, ATTENTION_SIDE)
        return measure_gates(self.network, torch.from_numpy(np.stack(windows)))
