"""`scales compare`."""

from __future__ import annotations

from typing import Annotated

import typer

import scales_cli.cli.options as opt
from scales_cli.cli.upscale import Inputs, goes_to_stdout
from scales_cli.cli.values import parse_point

Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        parser=opt.parse_stream,
        metavar="FILE|DIR|-",
        rich_help_panel=opt.OUTPUT,
        help="An .html file, a folder, or -. Default: as photo_compare.html.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME|FILE",
        autocompletion=opt.suggest_models,
        rich_help_panel=opt.SIZE,
        help="auto, base, tiny, another name, or a file. Repeat it for several. Default: as upscale.",
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        parser=parse_point,
        metavar="X,Y",
        rich_help_panel=opt.OUTPUT,
        help="Of large pictures, the input's pixel to show. Default: the middle.",
    ),
]


def compare(
    inputs: Inputs,
    models: Models = None,
    scale: opt.Factor = None,
    denoise: opt.Denoise = "auto",  # type: ignore[assignment]
    ensemble: opt.Ensemble = 1,
    output: Output = None,
    at: At = None,
    threads: opt.Threads = None,
    max_memory: opt.MaxMemory = None,
    max_pixels: opt.MaxPixels = "1G",  # type: ignore[assignment]
    overwrite: opt.Overwrite = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    offline: opt.Offline = False,
) -> None:
    """Enlarge a picture by several models, behind a slider in one page.

    $ scales compare photo.jpg                             # to photo_compare.html
    $ scales compare old.jpg -m base -m photo-tiny -o p.html
    """
    import os

    from scales_cli.cli.console import check_stdout, downloading, print_outcomes, progress_bar
    from scales_cli.comparison.comparison import compare_files, mending
    from scales_cli.pipeline.enlargement import Enlargement

    named: list[str | None] = [*dict.fromkeys(models or ())]
    enlargements = [
        Enlargement.of(model, scale=scale, ensemble=ensemble, format="png", metadata="none", max_pixels=max_pixels)
        for model in named or [os.environ.get("SCALES_MODEL") or None]
    ]
    for enlargement in enlargements:
        enlargement.pull(downloading(quiet))
    if goes_to_stdout(inputs, output):
        check_stdout("page", as_json=as_json)
    outcomes = compare_files(
        inputs,
        output,
        mending(enlargements, denoise),
        at=at,  # type: ignore[arg-type]
        overwrite=overwrite,
        threads=threads,
        max_memory=max_memory,
        progress=lambda name: progress_bar(name, quiet=quiet),
    )
    print_outcomes(outcomes, len(inputs), quiet=quiet, as_json=as_json, verbose=verbose)
