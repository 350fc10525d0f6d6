"""`scales eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import scales_cli.cli.options as opt
from scales_cli.cli.train import check_torch

if TYPE_CHECKING:
    from scales_cli.evaluation.scores import BenchmarkReport, Scores
    from scales_cli.pipeline.upscaler import Upscaler

FoldersArg = Annotated[
    list[str], typer.Argument(metavar="DIR", help="Folders of HR pictures, or with HR/ and LRbicx<scale>/ in them.")
]


def evaluate(
    folders: FoldersArg,
    scale: opt.Scale = 4,
    model: opt.Model = None,
    threads: opt.Threads = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    offline: opt.Offline = False,
) -> None:
    """Score a model on benchmark sets: PSNR and SSIM on luma, bicubic interpolation beside it."""
    from scales_cli.cli.console import print_json, progress_bar
    from scales_cli.evaluation.datasets import find_benchmark
    from scales_cli.evaluation.scores import evaluate as run

    upscaler = open_model(model, scale, threads, quiet=quiet)
    benchmarks = [find_benchmark(folder, scale) for folder in folders]
    with progress_bar("evaluating", quiet=quiet) as progress:
        report = run(upscaler, benchmarks, progress=progress)
    if as_json:
        print_json({"model": upscaler.name} | report.to_dict())
    elif not quiet:
        for benchmark in report.benchmarks:
            print_table(benchmark, upscaler.name, scale)


def open_model(model: str | None, scale: int, threads: int | None, *, quiet: bool) -> Upscaler:
    """A packed model in the native engine, or a training run's folder, of any convolution, in torch."""
    if model is None or not Path(model).is_dir():
        from scales_cli.cli.console import progress_bar
        from scales_cli.pipeline.upscaler import Upscalers
        from scales_cli.weights.family import resolve

        family = resolve(model)
        family.pull(scale, lambda name: progress_bar(f"downloading {name}", quiet=quiet))
        return Upscalers(family, threads)[scale]
    check_torch()
    from scales_cli.training.run import load_run

    return load_run(Path(model), scale)


def print_table(benchmark: BenchmarkReport, model: str, scale: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from scales_cli.cli.console import printable

    table = Table(title=Text(printable(f"{benchmark.name} x{scale}")), title_justify="left")
    table.add_column("")
    for name in ("bicubic", printable(model)):
        table.add_column(Text(f"{name}\nPSNR dB"), justify="right")
        table.add_column(Text("\nSSIM"), justify="right")
    for row in benchmark.images:
        table.add_row(Text(printable(row.name)), *_cells(row))
    table.add_section()
    table.add_row(Text("mean"), *_cells(benchmark.mean))
    Console(highlight=False).print(table)


def _cells(row: Scores) -> tuple[str, ...]:
    return f"{row.bicubic_psnr:.2f}", f"{row.bicubic_ssim:.4f}", f"{row.psnr:.2f}", f"{row.ssim:.4f}"
