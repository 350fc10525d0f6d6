"""`scales ablate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scales_cli.cli.console import say, saying_warnings
from scales_cli.cli.run_monitor import describe, stopping_on_signals
from scales_cli.cli.train import check_torch

if TYPE_CHECKING:
    from scales_cli.training.trainer import Status


def ablate(
    benchmarks: Annotated[list[str], typer.Argument(metavar="DIR", help="Folders of HR pictures to score on.")],
    data: Annotated[Path, typer.Option(help="Folder of pictures to train on.")],
    valid: Annotated[Path, typer.Option(help="Folder of pictures to tune learning rates with.")],
    out: Annotated[Path, typer.Option(help="Folder of all runs and results; what is there is not done again.")],
    config: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="What is compared: srresnet, rcan, swinir, or a TOML file.")
    ] = "srresnet",
    row: Annotated[list[str] | None, typer.Option(help="Only this row; may be repeated.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or another of torch's.")] = "auto",
) -> None:
    """Train the method, its parts and its rivals alike, and print their table in Markdown."""
    check_torch()
    from scales_cli.evaluation.datasets import find_benchmark
    from scales_cli.training.ablation import Ablation, finished_result, run_row, table
    from scales_cli.training.run import load_data

    ablation = Ablation.load(config)
    rows = ablation.choose(row or [])
    sets = [find_benchmark(folder, ablation.base.network.scale) for folder in benchmarks]
    names = [item.name for item in sets]
    pending = [item for item in rows if finished_result(ablation, item, out, names) is None]
    with saying_warnings():
        pictures = load_data(ablation.base, data, valid, device) if pending else None
        for item in pending:
            assert pictures is not None
            result = run_row(ablation, item, pictures, sets, out, report, stopping_on_signals)
            say(f"{item.name}: validation {result.valid_psnr:.3f} dB with a rate of {result.learning_rate:g}")
    results = {item.name: found for item in ablation.rows if (found := finished_result(ablation, item, out))}
    typer.echo(table(ablation, results))


def report(name: str, status: Status) -> None:
    """A line every thousand steps."""
    progress = status.progress
    if progress.step % 1000 == 0:
        speed = f"{status.steps_per_second:.1f} it/s"
        say(f"{name}: step {progress.step}, {speed}, rate {status.learning_rate:.2g}, {describe(progress.valid_psnr)}")
