"""The network in native code: exact, and the same bytes for every number of threads, band height and instruction set.

A gate pass fixes the channel gates layer by layer: over the whole picture up to `WHOLE_IMAGE_PIXELS`, whose output is
then the result already, else over fixed windows that depend on the picture's size alone. With the gates fixed the
network is a sliding stencil, and bands of rows stream through all layers at once in memory that grows with the width.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from scales_cli.engine.base import Planes, Progress
from scales_cli.engine.threads import JobPool, usable_cores
from scales_cli.errors import ScalesError, UsageError
from scales_cli.weights.packed import PackedWeights

if TYPE_CHECKING:
    from scales_cli.engine._native import FixedGates, GatePass, Network

WHOLE_IMAGE_PIXELS = 2**18
WINDOWS_PER_AXIS = 4
WINDOW_SIDE = 64
_JOB_PIXELS = (2**12, 2**16)  # of one layer: long enough to be worth a job (80 us on AVX-512), short enough for Ctrl-C
_BAND_ROWS = 256  # a band computes its halo of one row a layer and side twice
_STREAM_PIXELS = 2**21  # of all layers, between two looks at the stop flag: 50 ms on AVX-512, 0.2 s on AVX2
_TENSORS = (
    "head_weight",
    "head_bias",
    "bits",
    "threshold",
    "scale",
    "spatial",
    "spatial_bias",
    "channel",
    "shift_in",
    "slope",
    "shift_out",
    "tail_weight",
    "tail_bias",
)


def native_module() -> ModuleType:
    """The compiled module; `ScalesError` where it was not built, or where `SCALES_ISA` names kernels that it lacks."""
    try:
        module: ModuleType = importlib.import_module("scales_cli.engine._native")
    except ImportError as error:
        raise ScalesError(
            "the native engine is not built here", "in a checkout, run `pip install -e .`; or use the torch engine"
        ) from error
    isa = os.environ.get("SCALES_ISA")
    if isa and isa not in (available := module.available_isas()):
        raise UsageError(f"SCALES_ISA={isa}: no such kernels on this CPU", f"available: {', '.join(available)}")
    return module


def window_origins(length: int) -> list[int]:
    """Origins of the gate windows along one axis, floor(i (N - w) / 3); they depend on the length alone."""
    side = min(WINDOW_SIDE, length)
    return [i * (length - side) // (WINDOWS_PER_AXIS - 1) for i in range(WINDOWS_PER_AXIS)]


class NativeEngine:
    """Runs packed weights on the CPU's best kernels (`SCALES_ISA` or `isa` names others).

    `whole_image_pixels` and `band_rows` exist for tests and memory limits; only the first may change the output.
    """

    def __init__(
        self,
        weights: PackedWeights,
        threads: int | None = None,
        *,
        whole_image_pixels: int = WHOLE_IMAGE_PIXELS,
        band_rows: int | None = None,
        isa: str | None = None,
    ) -> None:
        self._native = native_module()
        self.spec = weights.spec
        self.threads = usable_cores() if threads is None else threads
        if self.threads < 1:
            raise UsageError(f"{threads} threads cannot work", "give at least 1")
        self.whole_image_pixels = whole_image_pixels
        self.band_rows = band_rows
        self._jobs = JobPool(self.threads)
        tensors = [np.ascontiguousarray(getattr(weights, name)) for name in _TENSORS]
        try:
            self._network: Network = self._native.Network.from_tensors(weights.spec.scale, *tensors, isa)
        except ValueError as error:
            raise UsageError(str(error), "check SCALES_ISA and the weights") from error

    @property
    def isa(self) -> str:
        """Name of the kernel table in use."""
        return str(self._network.isa)

    @property
    def halo(self) -> int:
        """LR rows above and below a band that `band` needs to see."""
        return int(self._network.halo)

    def residual(self, planes: Planes, *, progress: Progress | None = None) -> Planes:
        self._check_planes(planes)
        report = progress or (lambda fraction: None)
        _, height, width = planes.shape
        if height * width <= self.whole_image_pixels:
            return self._whole_image(planes, report)
        gates = self.fix_gates(self.gate_windows(planes))
        return self._streamed(planes, gates, report)

    def gate_windows(self, planes: Planes) -> list[Planes]:
        """The windows whose means fix the gates of a picture too large to be passed as a whole."""
        _, height, width = planes.shape
        return [
            np.ascontiguousarray(planes[:, y : y + WINDOW_SIDE, x : x + WINDOW_SIDE])
            for y in window_origins(height)
            for x in window_origins(width)
        ]

    def fix_gates(self, windows: list[Planes]) -> FixedGates:
        """Channel gates with means over all windows together; the windows run as separate pictures."""
        return self._gate_pass(windows, lambda fraction: None).gates()

    def band(
        self,
        planes: Planes,
        gates: FixedGates,
        begin: int,
        end: int,
        *,
        first_row: int = 0,
        height: int | None = None,
        out: Planes | None = None,
        out_row: int | None = None,
        stop: Callable[[], bool] = lambda: False,
        advanced: Callable[[int], None] = lambda rows: None,
    ) -> Planes:
        """Residual of LR rows [begin, end) on the calling thread, float32 [colors, scale * rows, scale * W].

        `planes` holds rows from `first_row` on of a picture `height` rows tall, and at least `halo` more rows than the
        band on either side as far as the picture has them. The result goes into `out` where given, whose top is LR row
        `out_row`. `stop` is asked several times a second; `advanced` hears the rows done.
        """
        scale, width = self.spec.scale, planes.shape[2]
        total = first_row + planes.shape[1] if height is None else height
        stream = self._native.RowStream(self._network, gates, planes, first_row, total, begin, end)
        if out is None:
            out = np.empty((self.spec.colors, scale * (end - begin), scale * width), np.float32)
        step = max(1, _STREAM_PIXELS // (width * self._network.layers))
        done = 0
        while done < end - begin and not stop():
            before, done = done, stream.advance(step, out, begin if out_row is None else out_row)
            advanced(done - before)
        return out

    def _check_planes(self, planes: Planes) -> None:
        if planes.dtype != np.float32 or planes.ndim != 3 or planes.shape[0] != self.spec.colors or 0 in planes.shape:
            raise UsageError(
                f"planes are {planes.dtype}{list(planes.shape)}, expected float32[{self.spec.colors}, H, W]",
                "convert them before",
            )

    def _row_jobs(self, rows: int, width: int) -> list[tuple[int, int]]:
        """Row ranges worth a job each, at least two a thread if there are enough."""
        smallest, largest = _JOB_PIXELS
        share = rows * width // (2 * self.threads)
        step = max(1, (largest if self.threads == 1 else min(max(share, smallest), largest)) // width)
        return [(begin, min(begin + step, rows)) for begin in range(0, rows, step)]

    def _gate_pass(self, windows: list[Planes], progress: Progress) -> GatePass:
        gate_pass = self._native.GatePass(self._network, windows)
        layers = self._network.layers
        jobs = self._row_jobs(gate_pass.rows, windows[0].shape[2])
        self._jobs.run(partial(gate_pass.head, *rows) for rows in jobs)
        for layer in range(layers):
            gate_pass.fix_gates(layer)
            self._jobs.run(partial(gate_pass.layer, layer, *rows) for rows in jobs)
            progress((layer + 1) / (layers + 2))
        return gate_pass

    def _whole_image(self, planes: Planes, progress: Progress) -> Planes:
        colors, height, width = planes.shape
        scale = self.spec.scale
        gate_pass = self._gate_pass([np.ascontiguousarray(planes)], progress)
        out = np.empty((colors, scale * height, scale * width), np.float32)
        self._jobs.run(partial(gate_pass.residual, *rows, out) for rows in self._row_jobs(height, width))
        progress(1.0)
        return out

    def _streamed(self, planes: Planes, gates: FixedGates, progress: Progress) -> Planes:
        colors, height, width = planes.shape
        scale, halo = self.spec.scale, self.halo
        out = np.empty((colors, scale * height, scale * width), np.float32)
        step = self.band_rows or max(_BAND_ROWS, -(-height // self.threads))
        stopped = threading.Event()
        lock = threading.Lock()
        done = 0

        def advanced(rows: int) -> None:
            nonlocal done
            with lock:
                done += rows
                progress(done / height)

        def band(begin: int, end: int) -> None:
            first = max(0, begin - halo)
            crop = np.ascontiguousarray(planes[:, first : end + halo])
            self.band(
                crop,
                gates,
                begin,
                end,
                first_row=first,
                height=height,
                out=out,
                out_row=0,
                stop=stopped.is_set,
                advanced=advanced,
            )

        bands = (partial(band, begin, min(begin + step, height)) for begin in range(0, height, step))
        self._jobs.run(bands, stop=stopped.set)
        return out
