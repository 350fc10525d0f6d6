"""`scales ablate`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import scales_cli.cli.options as opt
from scales_cli.cli.console import print_json, say, saying_warnings
from scales_cli.cli.train import PICTURES, TRAINING, Device, stopping_on_signals
from scales_cli.cli.train_view import describe
from scales_cli.system.extras import require

if TYPE_CHECKING:
    from scales_cli.training.trainer import Status


def ablate(
    benchmarks: Annotated[list[str], typer.Argument(metavar="DIR", help="Folders of HR pictures to score on.")],
    data: Annotated[Path, typer.Option(metavar="DIR", rich_help_panel=PICTURES, help="Pictures to train on.")],
    valid: Annotated[
        Path, typer.Option(metavar="DIR", rich_help_panel=PICTURES, help="Pictures to tune learning rates with.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            rich_help_panel=opt.OUTPUT,
            help="Folder of all runs and results; what is there is not done again.",
        ),
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            autocompletion=opt.suggesting("srresnet", "rcan", "swinir"),
            show_default=False,
            rich_help_panel=TRAINING,
            help="What is compared: srresnet, rcan, swinir or a TOML file. Default: srresnet.",
        ),
    ] = "srresnet",
    row: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", rich_help_panel=TRAINING, help="Only this row; may be repeated."),
    ] = None,
    device: Device = "auto",
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Train the method, its parts and its rivals alike, for a table.

    $ scales ablate Set5 --data train/ --valid valid/ -o out
    $ scales ablate Set5 --data train/ --valid valid/ -o out --recipe rcan
    """
    require("torch", "train", "training needs torch")
    from scales_cli.evaluation.datasets import find_benchmarks
    from scales_cli.training.ablation import Ablation, claim, finished_result, run_row, table
    from scales_cli.training.run import load_data

    ablation = Ablation.load(recipe)
    rows = ablation.choose(row or [])
    sets = find_benchmarks(benchmarks, ablation.base.network.scale)
    names = [item.name for item in sets]
    claim(output, {"--data": data, "--valid": valid, **dict(zip(names, map(Path, benchmarks), strict=True))})
    observe = (lambda name, status: None) if quiet else report
    pending = [item for item in rows if finished_result(ablation, item, output, names) is None]
    with saying_warnings():
        pictures = load_data(ablation.base, data, valid, device) if pending else None
        for item in pending:
            assert pictures is not None
            result = run_row(ablation, item, pictures, sets, output, observe, stopping_on_signals)
            if not quiet:
                say(f"{item.name}: validation {result.valid_psnr:.3f} dB with a rate of {result.learning_rate:g}")
    results = {item.name: found for item in ablation.rows if (found := finished_result(ablation, item, output))}
    if as_json:
        for result in results.values():
            print_json(dataclasses.asdict(result))
    elif not quiet:
        typer.echo(table(ablation, results))


def report(name: str, status: Status) -> None:
    """A line every thousand steps."""
    progress = status.progress
    if progress.step % 1000 == 0:
        speed = f"{status.steps_per_second:.1f} it/s"
        say(f"{name}: step {progress.step}, {speed}, rate {status.learning_rate:.2g}, {describe(progress.valid_psnr)}")
