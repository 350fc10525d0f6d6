"""`scales export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scales_cli.cli.options as opt
from scales_cli.cli.console import progress_bar
from scales_cli.cli.train import check_torch


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training run, or a weights file in it.")],
    out: Annotated[Path, typer.Option("-o", "--output", help="Packed model to write.")],
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Score the model on this set for its card; may be repeated.")
    ] = None,
    threads: opt.Threads = None,
) -> None:
    """Pack a training run's network, with a model card that tells how it was made and how it scores."""
    check_torch()
    from scales_cli.training.checkpoint import Checkpoint
    from scales_cli.training.export import export_packed, score_packed

    source = Checkpoint.load(run)
    weights = export_packed(source, out)
    if benchmark:
        with progress_bar("evaluating") as progress:
            psnr = score_packed(weights, benchmark, threads, progress=progress)
        export_packed(source, out, psnr)
    typer.echo(out)
