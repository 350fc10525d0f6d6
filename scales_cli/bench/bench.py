"""The whole of `scales bench`: models, sizes and numbers of threads, each a contest of its own.

In the contest of a model, the other models are rivals, so that they take turns with it."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scales_cli.backbones.cost import count
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.backbones.table import SIZES
from scales_cli.bench.contenders.base import Task
from scales_cli.bench.contenders.native import lanczos
from scales_cli.bench.contenders.plain import SCORES
from scales_cli.bench.contenders.prepare import Preparation, Step, prepare
from scales_cli.bench.contenders.registry import (
    CONTENDERS,
    LAYER,
    OURS,
    PROGRAM,
    VIDEO_CONTENDERS,
    VIDEO_OURS,
    Contender,
    choose,
    not_installed,
    of_model,
)
from scales_cli.bench.latency import Measurement, Spread, measure
from scales_cli.bench.machine import describe_machine, without_amx
from scales_cli.bench.random_weights import random_model
from scales_cli.bench.report import Contest, ContestRow, LayerSpeed, Report
from scales_cli.engine.load import check_engine, load_engine
from scales_cli.errors import ScalesError
from scales_cli.evaluation.datasets import find_benchmark
from scales_cli.evaluation.scores import evaluate
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.system.processes import Worker, WorkerError
from scales_cli.weights.family import resolve
from scales_cli.weights.packed import PackedWeights
from scales_cli.weights.store import Store


@dataclass(frozen=True)
class BenchRequest:
    """`models` are names or files, `sizes` (width, height) of LR pictures; `data` is a folder of HR pictures.

    After `seconds` no further round is begun. `ensemble` is how many flips and turns scales sees, `amx` whether others
    may use Intel's matrix units. With `video` a round is a frame, of scales eight, and others than those of pictures
    take part.
    """

    models: tuple[str, ...]
    scale: int
    sizes: tuple[tuple[int, int], ...]
    threads: tuple[int, ...]
    against: tuple[str, ...]
    data: Path | None = None
    rounds: int = 5
    seconds: float = float("inf")
    ensemble: int = 1
    amx: bool = True
    video: bool = False


@dataclass(frozen=True)
class BenchModel:
    """A packed model; `trained` is False if its weights are random."""

    name: str
    weights: PackedWeights
    trained: bool


@dataclass(frozen=True)
class Entrant:
    """A model with the folder of its files, and what contenders with its weights score."""

    model: BenchModel
    exports: Path
    psnr: dict[str, float]

    @property
    def file(self) -> Path:
        return self.exports / f"{self.model.name}.safetensors"


def run_bench(
    request: BenchRequest,
    *,
    progress: Callable[[float], None] = lambda fraction: None,
    skipping: Callable[[Sequence[str], str], None] = lambda contenders, reason: None,
) -> Report:
    """Runs every contest; `skipping` hears at once which contenders cannot take part, and why."""
    began = time.monotonic()
    ours, known = (VIDEO_OURS, VIDEO_CONTENDERS) if request.video else (OURS, CONTENDERS)
    contenders, missing = choose(request.against, known)
    models = [open_model(name, request.scale) for name in request.models]
    for model in models:
        check_engine(model.weights)
    if request.data is not None:
        find_benchmark(request.data, request.scale)  # an error now rather than after all contests
    limits = {} if request.amx else without_amx()
    report = Report(request.scale, describe_machine(limits), request.ensemble)
    if request.scale == 4 and any(contender in CONTENDERS["front"] for contender in contenders):
        report.published = SCORES

    def skip(name: str, reason: str) -> None:
        if name not in report.skipped:
            report.skipped[name] = reason
            skipping([name], reason)

    if missing:
        report.skipped |= {name: not_installed(modules) for name, modules in missing.items()}
        skipping(list(missing), not_installed(itertools.chain(*missing.values())))
    total = len(models) * len(request.sizes) * len(request.threads)
    with tempfile.TemporaryDirectory(prefix="scales-bench-") as folder:
        entrants = [enter(model, Path(folder, str(index)), request) for index, model in enumerate(models)]
        for entrant in entrants:
            spec, exports = entrant.model.weights.spec, entrant.exports
            failures = run_steps(contenders, Preparation(spec, exports, request.data))
            others = [other for other in entrants if other is not entrant]
            able = [ours, *(of_model(ours, item.model.name, item.model.weights.spec, item.file) for item in others)]
            for contender in contenders:
                if reason := next((failures[step] for step in contender.steps if step in failures), ""):
                    skip(contender.name, reason)
                else:
                    able.append(contender)
            psnr = entrant.psnr | {
                other.model.name: other.psnr[OURS.name] for other in others if OURS.name in other.psnr
            }
            for size, threads in itertools.product(request.sizes, request.threads):
                done = len(report.contests)
                has_layer = threads == 1 and not request.video and spec.runs_natively
                measurements, failed = measure(
                    [*able, LAYER] if has_layer else able,
                    Task(spec, entrant.file, exports, *size, threads, request.ensemble),
                    request.rounds,
                    environment=limits,
                    deadline=began + request.seconds,
                    progress=partial(_report_part, progress, done, total),
                )
                for name, reason in failed.items():
                    skip(name, reason)
                contest = summarize(entrant.model, size, threads, measurements, psnr, request.ensemble)
                report.contests.append(replace(contest, video=request.video))
    return report


def _report_part(progress: Callable[[float], None], done: int, total: int, fraction: float) -> None:
    progress((done + fraction) / total)


def enter(model: BenchModel, exports: Path, request: BenchRequest) -> Entrant:
    """Makes the folder, with the packed model in it."""
    psnr = {} if request.data is None else score(model, request.data, request.ensemble)
    entrant = Entrant(model, exports, psnr)
    exports.mkdir()
    model.weights.save(entrant.file)
    return entrant


def open_model(name: str, scale: int) -> BenchModel:
    """A model by name or path; a size that has none for this scale gets seeded random weights."""
    store = Store()
    if name in SIZES and not store.published(name, scale):
        spec = NetworkSpec(scale=scale, **SIZES[name])
        return BenchModel(f"scales-{name}-x{scale}", random_model(spec), trained=False)
    found = resolve(name, store).open(scale)
    return BenchModel(found.name, found.weights, trained=True)


def run_steps(contenders: list[Contender], preparation: Preparation) -> dict[Step, str]:
    """Makes the files that these contenders need, each once; returns what failed."""
    steps = tuple(dict.fromkeys(step for contender in contenders for step in contender.steps))
    if not steps:
        return {}
    worker = Worker(_Prepared, preparation, steps)
    try:
        worker.wait()
        failures: dict[Step, str] = worker.call("failures")
        return failures
    except WorkerError as error:
        return dict.fromkeys(steps, error.message)
    finally:
        worker.kill()


class _Prepared:
    def __init__(self, preparation: Preparation, steps: tuple[Step, ...]) -> None:
        self._failures = prepare(preparation, steps)

    def failures(self) -> dict[Step, str]:
        return self._failures


def summarize(
    model: BenchModel,
    size: tuple[int, int],
    threads: int,
    measurements: list[Measurement],
    psnr: dict[str, float],
    ensemble: int = 1,
) -> Contest:
    baseline = next((item for item in measurements if item.contender.name == OURS.name), None)
    if baseline is None:
        raise ScalesError("the native engine did not run, which all others are compared with", "use a smaller picture")
    pixels, scale, spec = size[0] * size[1], model.weights.spec.scale, model.weights.spec
    rows = []
    for item in measurements:
        if item.contender is LAYER:
            continue
        seconds, parts = item.seconds, item.contender.parts
        cost = count(parts(spec)) if parts else None
        if cost is not None and item.contender.ensemble:
            cost = replace(cost, operations=ensemble * cost.operations)
        rows.append(
            ContestRow(
                item.contender.name,
                Spread.of(1e9 * sample.seconds / pixels for sample in item.samples),
                item.times(baseline),
                scale**2 * pixels / seconds.median / 1e6,
                sum(sample.cpu_seconds for sample in item.samples) / sum(sample.seconds for sample in item.samples),
                item.peak_memory,
                item.model_bytes,
                cost,
                psnr.get(item.contender.name),
            )
        )
    layer = next((binary_layer(item, pixels, spec) for item in measurements if item.contender is LAYER), None)
    return Contest(model.name, model.trained, *size, threads, len(baseline.samples), tuple(rows), layer)


def binary_layer(measurement: Measurement, pixels: int, spec: NetworkSpec) -> LayerSpeed:
    """One of the body's 3x3 convolutions."""
    samples = measurement.samples
    rates = [9 * spec.n_feats**2 * pixels / sample.seconds for sample in samples]
    peaks = [sample.peak_rate for sample in samples]
    return LayerSpeed(
        Spread.of(1e9 * sample.seconds / pixels for sample in samples),
        Spread.of(rates),
        Spread.of(peaks),
        Spread.of(rate / peak for rate, peak in zip(rates, peaks, strict=True)),
    )


def score(model: BenchModel, data: Path, ensemble: int = 1) -> dict[str, float]:
    """PSNR on luma in dB by contender, of those whose weights are trained or that need none."""
    scale = model.weights.spec.scale
    benchmarks = [find_benchmark(data, scale)]
    mean = evaluate(lambda lr: lanczos(lr, scale), benchmarks).benchmarks[0].mean
    psnr = {"lanczos": mean.psnr, "bicubic": mean.bicubic_psnr}
    if model.trained:
        mean = evaluate(Upscaler(load_engine(model.weights), ensemble=ensemble), benchmarks).benchmarks[0].mean
        psnr |= {OURS.name: mean.psnr, PROGRAM: mean.psnr}
    return {name: value for name, value in psnr.items() if value < math.inf}  # JSON has no infinity
