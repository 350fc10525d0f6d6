"""PSNR and SSIM on benchmark sets, by the protocol of the published tables.

The 8-bit RGB result is scored on the unrounded luma of BT.601 after `scale` pixels were cut from every side; means are
means of the pictures' values. MATLAB's bicubic enlargement is always scored beside it.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.arguments import check_kinds
from scales_cli.errors import ScalesError, UsageError
from scales_cli.evaluation.datasets import Benchmark
from scales_cli.imaging.metrics import crop_border, psnr, rgb_to_y, ssim
from scales_cli.imaging.resize import imresize

Upscale = Callable[[NDArray[np.uint8]], NDArray[Any]]


@dataclass(frozen=True)
class Scores:
    """PSNR in dB on luma, infinite for equal pictures, and SSIM; of the network and of bicubic interpolation."""

    name: str
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has no infinity: that becomes null."""
        values = dataclasses.asdict(self)
        return {key: None if value in (math.inf, -math.inf) else value for key, value in values.items()}


@dataclass(frozen=True)
class BenchmarkReport:
    name: str
    images: tuple[Scores, ...]

    @property
    def mean(self) -> Scores:
        fields = [field.name for field in dataclasses.fields(Scores) if field.name != "name"]
        return Scores("mean", **{name: statistics.fmean(getattr(row, name) for row in self.images) for name in fields})


@dataclass(frozen=True)
class EvaluationReport:
    scale: int
    benchmarks: tuple[BenchmarkReport, ...]

    def to_dict(self) -> dict[str, Any]:
        sets = [
            {"name": item.name, "mean": item.mean.to_dict(), "images": [row.to_dict() for row in item.images]}
            for item in self.benchmarks
        ]
        return {"scale": self.scale, "benchmarks": sets}


def evaluate(
    upscale: Upscale,
    benchmarks: Iterable[Benchmark],
    *,
    progress: Callable[[float], None] | None = None,
) -> EvaluationReport:
    """Scores an `Upscaler`, or any function from an LR to an SR picture, on sets of one scale."""
    check_kinds(upscale=upscale, progress=progress)
    benchmarks = _checked(benchmarks)
    scales = {benchmark.scale for benchmark in benchmarks}
    if len(scales) != 1:
        raise UsageError("the benchmarks have no common scale", "evaluate one scale at a time")
    total, done = sum(len(benchmark.pairs) for benchmark in benchmarks), 0
    reports = []
    for benchmark in benchmarks:
        rows = []
        for pair in benchmark:
            hr, lr = pair.load(benchmark.scale)
            rows.append(score(pair.name, hr, lr, upscale(lr), benchmark.scale))
            done += 1
            if progress is not None:
                progress(done / total)
        reports.append(BenchmarkReport(benchmark.name, tuple(rows)))
    return EvaluationReport(scales.pop(), tuple(reports))


def _checked(benchmarks: Any) -> tuple[Benchmark, ...]:
    """All of them, at least one."""
    hint = "give a list of what find_benchmark gave"
    if not isinstance(benchmarks, Iterable) or isinstance(benchmarks, (str, Benchmark)):
        raise UsageError(f"benchmarks is a single {type(benchmarks).__name__}", hint)
    checked = tuple(benchmarks)
    for item in checked:
        if not isinstance(item, Benchmark):
            raise UsageError(f"{item!r} is no benchmark", hint)
    if not checked:
        raise UsageError("there are no benchmarks", hint)
    return checked


def score(name: str, hr: NDArray[np.uint8], lr: NDArray[np.uint8], sr: NDArray[Any], scale: int) -> Scores:
    """Scores one result [sh, sw, 3] against its HR picture."""
    if sr.shape != hr.shape or sr.dtype != np.uint8:
        raise ScalesError(f"{name}: the result is {sr.dtype}{list(sr.shape)}, expected uint8{list(hr.shape)}")
    bicubic = np.asarray(imresize(lr, scale))
    truth, network, interpolated = (crop_border(rgb_to_y(image), scale) for image in (hr, sr, bicubic.astype(np.uint8)))
    return Scores(
        name, psnr(truth, network), ssim(truth, network), psnr(truth, interpolated), ssim(truth, interpolated)
    )
