"""`scales export`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import scales_cli.cli.options as opt
from scales_cli.cli.console import print_json, print_path, progress_bar
from scales_cli.errors import UsageError
from scales_cli.system.extras import require


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run, or a weights file in it.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", rich_help_panel=opt.OUTPUT, help="Packed model to write."),
    ],
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR", rich_help_panel=opt.OUTPUT, help="Score it on these pictures for its card; may be repeated."
        ),
    ] = None,
    overwrite: opt.Overwrite = False,
    threads: opt.Threads = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Pack a training run's network into a model file.

    Its card tells how it was made and how it scores.

    $ scales export run -o mine.safetensors
    $ scales export run -o mine.safetensors --benchmark Set5
    """
    require("torch", "train", "training needs torch")
    from scales_cli.pipeline.targets import check_target
    from scales_cli.training.checkpoint import Checkpoint
    from scales_cli.training.export import pack_run, score_packed

    source = Checkpoint.load(run)
    if source.packed:
        raise UsageError(f"{run} is a packed model already", "give the folder of a training run")
    check_target(output, overwrite)
    weights = pack_run(source)
    if benchmark:
        with progress_bar("evaluating", quiet=quiet) as progress:
            psnr = score_packed(weights, benchmark, threads, progress=progress)
        weights = replace(weights, card={**weights.card, "psnr": psnr})
    weights.save(output)
    if as_json:
        print_json({"output": str(output), "card": dict(weights.card)})
    elif not quiet:
        print_path(str(output))
