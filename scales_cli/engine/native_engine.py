"""The network in native code: exact, and the same bytes for every number of threads, tiling and instruction set.

A gate pass fixes the channel gates layer by layer: over the whole picture up to `WHOLE_IMAGE_PIXELS`, whose output is
then the result already, else over fixed windows that depend on the picture's size alone. With the gates fixed the
network is a sliding stencil, and tiles of the picture stream row by row through all layers at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import numpy as np

from scales_cli.engine import native_module as native
from scales_cli.engine.base import ArrayPlanes, Planes, PlaneSource, Region, Residual, new_residual
from scales_cli.engine.gate_windows import WINDOW_SIDE, WINDOWS_PER_AXIS, gate_windows
from scales_cli.engine.layer_stack import stack_layers
from scales_cli.engine.tiling import (
    PIECE_ROWS,
    Tiling,
    choose_regions,
    choose_tiling,
    gate_pass_bytes,
    residual_bytes,
)
from scales_cli.errors import UsageError
from scales_cli.system.progress import Progress
from scales_cli.system.resources import thread_count
from scales_cli.system.threads import ThreadPool
from scales_cli.weights.packed import PackedWeights

WHOLE_IMAGE_PIXELS = 2**18
# Of one layer: long enough to be worth a task (80 us on AVX-512), short enough for Ctrl-C.
_TASK_PIXELS = (2**12, 2**16)
_STREAM_PIXELS = 2**21  # of all layers, between two looks at the stop flag: 50 ms on AVX-512, 0.15 s on AVX2
_UNLIMITED = 2**62


class NativeEngine:
    """Runs packed weights on the CPU's best kernels (`SCALES_ISA` or `isa` names others).

    `whole_image_pixels` exists for tests: it alone may change the output.
    """

    def __init__(
        self,
        weights: PackedWeights,
        threads: int | None = None,
        *,
        whole_image_pixels: int = WHOLE_IMAGE_PIXELS,
        isa: str | None = None,
    ) -> None:
        self.spec = weights.spec
        self.threads = thread_count(threads)
        self.whole_image_pixels = whole_image_pixels
        self.pool = ThreadPool(self.threads)
        try:
            self._network = native.Network.from_tensors(
                weights.spec.scale,
                colors=weights.spec.colors,
                chroma=2 if weights.spec.has_chroma else 0,
                head_weight=np.ascontiguousarray(weights.tensors["head.weight"]),
                head_bias=np.ascontiguousarray(weights.tensors["head.bias"]),
                tail_weight=np.ascontiguousarray(weights.tensors["tail.weight"]),
                tail_gain=np.ascontiguousarray(weights.tensors["tail.gain"]),
                tail_scale=np.ascontiguousarray(weights.tensors["tail.scale"]),
                tail_bias=np.ascontiguousarray(weights.tensors["tail.bias"]),
                **stack_layers(weights),
                isa=isa,
            )
        except ValueError as error:
            raise UsageError(str(error), "check SCALES_ISA and the weights") from error

    @property
    def isa(self) -> str:
        """Name of the kernel table in use."""
        return str(self._network.isa)

    def streams(self, height: int, width: int) -> bool:
        """Whether a picture is too large to be passed as a whole; rows take the memory of 16 pixels at least."""
        return height * max(width, 16) > self.whole_image_pixels

    def plan(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling | None, int]:
        out_pixels = height * width * self.spec.scale**2
        if not self.streams(height, width):
            output = out_pixels * (residual_bytes(self.spec) + 1 + pixel_bytes)
            return None, gate_pass_bytes(self.spec, height, width, self.threads) + output
        if tile is None:
            tiling = choose_tiling(
                self.spec, height, width, threads=self.threads, budget=budget, pixel_bytes=pixel_bytes
            )
        else:
            tiling = Tiling(tile, tile, tile)
        working = tiling.nbytes(self.spec, height, width, self.threads, pixel_bytes)
        return tiling, max(self._windows_bytes(height, width), working)

    def plan_regions(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling, int]:
        tiling, working = choose_regions(
            self.spec, height, width, threads=self.threads, budget=budget, pixel_bytes=pixel_bytes, tile=tile
        )
        return tiling, max(self._windows_bytes(height, width), working)

    def _windows_bytes(self, height: int, width: int) -> int:
        rows, columns = (min(side, WINDOW_SIDE) for side in (height, width))
        return gate_pass_bytes(self.spec, WINDOWS_PER_AXIS**2 * rows, columns, self.threads)

    def residual(self, planes: Planes, *, tiling: Tiling | None = None, progress: Progress | None = None) -> Planes:
        """The planes of `residual_rows`, of planes [inputs, H, W], in one array."""
        if planes.dtype != np.float32 or planes.ndim != 3 or planes.shape[0] != self.spec.inputs or 0 in planes.shape:
            raise UsageError(
                f"planes are {planes.dtype}{list(planes.shape)}, expected float32[{self.spec.inputs}, H, W]",
                "convert them before",
            )
        _, height, width = planes.shape
        source = ArrayPlanes(planes)
        if not self.streams(height, width):
            return next(self.residual_rows(source, progress=progress)).planes
        out, done = new_residual(self.spec, height, width).planes, 0
        for piece in self.residual_rows(source, tiling=tiling, progress=progress):
            rows = piece.planes.shape[1]
            out[:, done : done + rows] = piece.planes
            done += rows
        return out

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Residual]:
        height, width = source.height, source.width
        report = progress or (lambda fraction: None)
        if not self.streams(height, width):
            yield self._whole_image(source.read(0, height, 0, width), report)
            return
        if tiling is None:
            tiling, _ = self.plan(height, width, budget=_UNLIMITED, pixel_bytes=0)
            assert tiling is not None
        done = 0
        for piece in self.stream(source, self.fix_gates(source), tiling):
            done += piece.planes.shape[1]
            report(done / (self.spec.scale * height))
            yield piece
            del piece  # or it would be in memory beside the next one

    def fix_gates(self, source: PlaneSource) -> native.FixedGates:
        """Channel gates with means over all windows together; the windows run as separate pictures."""
        return self._gate_pass(gate_windows(source), lambda fraction: None).gates()

    def stream(self, source: PlaneSource, gates: native.FixedGates, tiling: Tiling) -> Iterator[Residual]:
        """`residual_rows` with gates that are fixed."""
        pieces = self._side_by_side if tiling.side_by_side else self._one_by_one
        for top in range(0, source.height, tiling.rows):
            yield from pieces(source, gates, tiling, top, min(top + tiling.rows, source.height))

    def _row_ranges(self, rows: int, width: int) -> list[tuple[int, int]]:
        """Row ranges worth a task each, at least two a thread if there are enough."""
        smallest, largest = _TASK_PIXELS
        share = rows * width // (2 * self.threads)
        step = max(1, (largest if self.threads == 1 else min(max(share, smallest), largest)) // width)
        return [(begin, min(begin + step, rows)) for begin in range(0, rows, step)]

    def _gate_pass(self, windows: list[Planes], progress: Progress) -> native.GatePass:
        gate_pass = native.GatePass(self._network, windows)
        layers = self._network.layers
        ranges = self._row_ranges(gate_pass.rows, windows[0].shape[2])
        self.pool.run(partial(gate_pass.head, *rows) for rows in ranges)
        for layer in range(layers):
            gate_pass.fix_gates(layer)
            self.pool.run(partial(gate_pass.layer, layer, *rows) for rows in ranges)
            progress((layer + 1) / (layers + 2))
        return gate_pass

    def _whole_image(self, planes: Planes, progress: Progress) -> Residual:
        _, height, width = planes.shape
        gate_pass = self._gate_pass([planes], progress)
        out = new_residual(self.spec, height, width)
        self.pool.run(partial(gate_pass.residual, *rows, *out) for rows in self._row_ranges(height, width))
        progress(1.0)
        return out

    def _side_by_side(
        self, source: PlaneSource, gates: native.FixedGates, tiling: Tiling, top: int, bottom: int
    ) -> Iterator[Residual]:
        """A band whose tiles advance together, `step` rows at a time."""
        tiles = tiling.tiles(source.width)
        streams = [self._stream(source, gates, top, bottom, *tile) for tile in tiles]
        widest = max(stream.columns for stream in streams)
        step = min(tiling.step, self._step(widest))
        for row in range(top, bottom, step):
            rows = min(step, bottom - row)
            out = new_residual(self.spec, rows, source.width)
            self.pool.run(
                partial(self._advance, source, stream, rows, out, 0, left)
                for stream, (left, _) in zip(streams, tiles, strict=True)
            )
            yield out
            del out

    def _one_by_one(
        self, source: PlaneSource, gates: native.FixedGates, tiling: Tiling, top: int, bottom: int
    ) -> Iterator[Residual]:
        """A band whose tiles are begun and finished one after the other by each thread."""
        out = new_residual(self.spec, bottom - top, source.width)
        stopped = threading.Event()

        def make(left: int, right: int) -> None:
            stream = self._stream(source, gates, top, bottom, left, right)
            step = self._step(stream.columns)
            while stream.rows_left and not stopped.is_set():
                row = bottom - top - stream.rows_left
                self._advance(source, stream, min(step, stream.rows_left), out, row, left)

        self.pool.run((partial(make, *tile) for tile in tiling.tiles(source.width)), stop=stopped.set)
        yield out

    def region(self, source: PlaneSource, gates: native.FixedGates, region: Region) -> Iterator[Residual]:
        stream = self._stream(source, gates, *region)
        step = min(PIECE_ROWS, self._step(stream.columns))
        while stream.rows_left:
            out = new_residual(self.spec, min(step, stream.rows_left), region.right - region.left)
            self._advance(source, stream, out.planes.shape[1] // self.spec.scale, out, 0, 0)
            yield out
            del out

    def _stream(
        self, source: PlaneSource, gates: native.FixedGates, top: int, bottom: int, left: int, right: int
    ) -> native.RowStream:
        return native.RowStream(self._network, gates, source.height, source.width, top, bottom, left, right)

    def _step(self, columns: int) -> int:
        """Rows of a stream that are made between two looks at the stop flag."""
        return max(1, _STREAM_PIXELS // (columns * self._network.layers))

    def _advance(
        self, source: PlaneSource, stream: native.RowStream, rows: int, out: Residual, row: int, column: int
    ) -> None:
        """`rows` more rows of a tile, to LR row `row` and column `column` of `out`."""
        first, left, columns = stream.first_row, stream.first_column, stream.columns
        planes = np.empty((self.spec.inputs, 0, columns), np.float32)  # at the bottom, when all that there is was read
        if needed := stream.rows_needed(rows):
            planes = source.read(first, first + needed, left, left + columns)
        stream.advance(rows, planes, *out, row, column)
