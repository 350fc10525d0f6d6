"""The whole of `scales bench`: models, sizes and numbers of threads, each a contest of its own."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from scales_cli.config import SIZES, NetworkSpec
from scales_cli.engine.base import check_engine, load_engine
from scales_cli.errors import ScalesError
from scales_cli.evaluation.benchmarks import find_benchmark
from scales_cli.evaluation.contenders.base import Task
from scales_cli.evaluation.contenders.native import lanczos
from scales_cli.evaluation.contenders.prepare import Preparation, Step, prepare
from scales_cli.evaluation.contenders.registry import LAYER, PROGRAM, SCALES, Contender, choose
from scales_cli.evaluation.cost import Cost, count
from scales_cli.evaluation.latency import Measurement, Spread, measure
from scales_cli.evaluation.machine import describe_machine
from scales_cli.evaluation.random_weights import random_model
from scales_cli.evaluation.runner import evaluate
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.pipeline.worker import Worker, WorkerError
from scales_cli.weights.packed_file import PackedWeights
from scales_cli.weights.store import Store, find_model

LAYER_MACS = 9 * 64 * 64  # binary multiply-accumulates of a layer for each LR pixel


@dataclass(frozen=True)
class Settings:
    """`models` are names or files, `sizes` (width, height) of LR pictures; `data` is a folder of HR pictures.

    After `seconds` no further round is begun.
    """

    models: tuple[str, ...]
    scale: int
    sizes: tuple[tuple[int, int], ...]
    threads: tuple[int, ...]
    against: tuple[str, ...]
    data: Path | None = None
    rounds: int = 5
    seconds: float = float("inf")


@dataclass(frozen=True)
class Row:
    """One contender in one contest. `busy_cores` is processor time over time: how many threads really worked."""

    contender: str
    ns_per_pixel: Spread
    times_scales: Spread
    output_megapixels_per_second: float
    busy_cores: float
    peak_memory: int | None
    model_bytes: int | None
    cost: Cost | None
    psnr: float | None


@dataclass(frozen=True)
class Layer:
    """A fused binary layer on one thread; `peak` and `fraction` of it are None where the engine cannot measure it."""

    ns_per_pixel: Spread
    macs_per_second: Spread
    peak_macs_per_second: Spread | None
    fraction: Spread | None


@dataclass(frozen=True)
class Contest:
    """What was timed in turn: one model, size (of the LR picture) and number of threads."""

    model: str
    trained: bool
    width: int
    height: int
    threads: int
    rounds: int
    rows: tuple[Row, ...]
    layer: Layer | None

    @property
    def pixels(self) -> int:
        """Of the LR picture."""
        return self.width * self.height


@dataclass(frozen=True)
class Marginal:
    """What each further LR pixel takes, from the smallest to the largest picture: without start and set-up."""

    model: str
    threads: int
    contender: str
    ns_per_pixel: float


@dataclass
class Report:
    """Fills while the bench runs; `skipped` tells by contender why it did not take part."""

    scale: int
    machine: dict[str, Any]
    contests: list[Contest] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        marginals = [asdict(item) for item in self.marginals()]
        return {"version": 1} | asdict(self) | {"marginals": marginals}

    def marginals(self) -> Iterator[Marginal]:
        groups: dict[tuple[str, int], list[Contest]] = defaultdict(list)
        for contest in self.contests:
            groups[contest.model, contest.threads].append(contest)
        for (model, threads), contests in groups.items():
            small, large = (pick(contests, key=lambda contest: contest.pixels) for pick in (min, max))
            if small.pixels == large.pixels:
                continue
            before = {row.contender: row.ns_per_pixel.median for row in small.rows}
            for row in large.rows:
                if row.contender in before:
                    total = row.ns_per_pixel.median * large.pixels - before[row.contender] * small.pixels
                    yield Marginal(model, threads, row.contender, total / (large.pixels - small.pixels))


@dataclass(frozen=True)
class Model:
    """A packed model; `trained` is False where its weights are random."""

    name: str
    weights: PackedWeights
    trained: bool


def run_bench(
    settings: Settings,
    *,
    progress: Callable[[float], None] = lambda fraction: None,
    skipping: Callable[[str, str], None] = lambda contender, reason: None,
) -> Report:
    """Runs every contest; `skipping` hears at once which contender cannot take part, and why."""
    began = time.monotonic()
    contenders, missing = choose(settings.against)
    models = [open_model(name, settings.scale) for name in settings.models]
    for model in models:
        check_engine(model.weights)
    if settings.data is not None:
        find_benchmark(settings.data, settings.scale)  # an error now rather than after all contests
    report = Report(settings.scale, describe_machine())

    def skip(name: str, reason: str) -> None:
        if name not in report.skipped:
            report.skipped[name] = reason
            skipping(name, reason)

    for name, reason in missing.items():
        skip(name, reason)
    total = len(models) * len(settings.sizes) * len(settings.threads)
    for model in models:
        with tempfile.TemporaryDirectory(prefix="scales-bench-") as folder:
            exports = Path(folder)
            packed = exports / f"{model.name}.safetensors"
            model.weights.save(packed)
            failures = run_steps(contenders, Preparation(model.weights.spec, exports, settings.data))
            able = [SCALES]
            for contender in contenders:
                if reason := next((failures[step] for step in contender.steps if step in failures), ""):
                    skip(contender.name, reason)
                else:
                    able.append(contender)
            psnr = score(model, settings.data) if settings.data is not None else {}
            for size, threads in itertools.product(settings.sizes, settings.threads):
                done = len(report.contests)
                has_layer = threads == 1 and model.weights.spec.backbone == "srresnet"
                measurements, failed = measure(
                    [*able, LAYER] if has_layer else able,
                    Task(model.weights.spec, packed, exports, *size, threads),
                    settings.rounds,
                    deadline=began + settings.seconds,
                    progress=partial(_report_part, progress, done, total),
                )
                for name, reason in failed.items():
                    skip(name, reason)
                report.contests.append(summarize(model, size, threads, measurements, psnr))
    return report


def _report_part(progress: Callable[[float], None], done: int, total: int, fraction: float) -> None:
    progress((done + fraction) / total)


def open_model(name: str, scale: int) -> Model:
    """A model by name or path; a size that has none for this scale gets seeded random weights."""
    if name in SIZES and not Store().published(name, scale):
        spec = NetworkSpec(scale=scale, **SIZES[name])
        return Model(f"scales-{name}-x{scale}", random_model(spec), trained=False)
    found = find_model(name, scale)
    return Model(found.name, found.weights, trained=True)


def run_steps(contenders: list[Contender], job: Preparation) -> dict[Step, str]:
    """Makes the files that these contenders need, each once; returns what failed."""
    steps = tuple(dict.fromkeys(step for contender in contenders for step in contender.steps))
    if not steps:
        return {}
    worker = Worker(_Prepared, job, steps)
    try:
        worker.wait()
        failures: dict[Step, str] = worker.call("failures")
        return failures
    except WorkerError as error:
        return dict.fromkeys(steps, error.message)
    finally:
        worker.kill()


class _Prepared:
    def __init__(self, job: Preparation, steps: tuple[Step, ...]) -> None:
        self._failures = prepare(job, steps)

    def failures(self) -> dict[Step, str]:
        return self._failures


def summarize(
    model: Model, size: tuple[int, int], threads: int, measurements: list[Measurement], psnr: dict[str, float]
) -> Contest:
    baseline = next((item for item in measurements if item.contender is SCALES), None)
    if baseline is None:
        raise ScalesError("the native engine did not run, which all others are compared with", "use a smaller picture")
    pixels, scale, spec = size[0] * size[1], model.weights.spec.scale, model.weights.spec
    rows = []
    for item in measurements:
        if item.contender is LAYER:
            continue
        seconds, parts = item.seconds, item.contender.parts
        rows.append(
            Row(
                item.contender.name,
                Spread.of(1e9 * sample.seconds / pixels for sample in item.samples),
                item.times(baseline),
                scale**2 * pixels / seconds.median / 1e6,
                sum(sample.cpu_seconds for sample in item.samples) / sum(sample.seconds for sample in item.samples),
                item.peak_memory,
                item.model_bytes,
                count(parts(spec)) if parts else None,
                psnr.get(item.contender.name),
            )
        )
    layer = next((binary_layer(item, pixels) for item in measurements if item.contender is LAYER), None)
    return Contest(model.name, model.trained, *size, threads, len(baseline.samples), tuple(rows), layer)


def binary_layer(measurement: Measurement, pixels: int) -> Layer:
    samples = measurement.samples
    rates = [LAYER_MACS * pixels / sample.seconds for sample in samples]
    peaks = [sample.peak_rate for sample in samples if sample.peak_rate is not None]
    known = len(peaks) == len(samples)
    return Layer(
        Spread.of(1e9 * sample.seconds / pixels for sample in samples),
        Spread.of(rates),
        Spread.of(peaks) if known else None,
        Spread.of(rate / peak for rate, peak in zip(rates, peaks, strict=True)) if known else None,
    )


def score(model: Model, data: Path) -> dict[str, float]:
    """PSNR on luma in dB by contender, of those whose weights are trained or that need none."""
    scale = model.weights.spec.scale
    benchmarks = [find_benchmark(data, scale)]
    mean = evaluate(lambda lr: lanczos(lr, scale), benchmarks).benchmarks[0].mean
    psnr = {"lanczos": mean.psnr, "bicubic": mean.bicubic_psnr}
    if model.trained:
        mean = evaluate(Upscaler(load_engine(model.weights)), benchmarks).benchmarks[0].mean
        psnr |= {SCALES.name: mean.psnr, PROGRAM: mean.psnr}
    return {name: value for name, value in psnr.items() if value < math.inf}  # JSON has no infinity
