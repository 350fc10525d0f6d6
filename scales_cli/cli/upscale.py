"""`scales upscale`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import scales_cli.cli.options as opt

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", callback=opt.parse_inputs, help="Files, addresses, or - for standard input."),
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        parser=opt.parse_stream,
        metavar="FILE|DIR|-",
        rich_help_panel=opt.OUTPUT,
        help="File, folder or -. Default: beside the input, as photo_x4.jpg.",
    ),
]


def upscale(
    inputs: Inputs,
    scale: opt.Factor = None,
    width: opt.Width = None,
    height: opt.Height = None,
    max_size: opt.MaxSize = None,
    model: opt.Model = None,
    output: Output = None,
    threads: opt.Threads = None,
    max_memory: opt.MaxMemory = None,
    max_pixels: opt.MaxPixels = "1G",  # type: ignore[assignment]
    tile: opt.Tile = None,
    image_format: opt.Format = None,
    quality: opt.Quality = None,
    lossless: opt.Lossless = False,
    background: opt.Background = None,
    metadata: opt.Metadata = "safe",
    frames: opt.Frames = "first",
    denoise: opt.Denoise = "auto",  # type: ignore[assignment]
    ensemble: opt.Ensemble = 1,
    name: opt.Name = None,
    keep_times: opt.KeepTimes = False,
    salvage: opt.Salvage = False,
    overwrite: opt.Overwrite = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    print0: opt.Print0 = False,
    offline: opt.Offline = False,
) -> None:
    """Enlarge pictures, and print the paths of the results.

    $ scales upscale photo.jpg -s 4                # to photo_x4.jpg
    $ scales upscale *.png --width 1920 -o large/  # several, into a folder
    """
    from scales_cli.cli.console import downloading, print_outcomes, progress_bar
    from scales_cli.pipeline.enlargement import Enlargement
    from scales_cli.pipeline.run import upscale_files

    enlargement = Enlargement.of(
        model,
        scale=scale,
        width=width,
        height=height,
        max_size=max_size,
        format=image_format,
        quality=quality,
        lossless=lossless,
        background=background,
        metadata=metadata,
        frames=frames,
        name=name,
        keep_times=keep_times,
        salvage=salvage,
        denoise=denoise,
        ensemble=ensemble,
        max_pixels=max_pixels,
        tile=tile,
    )
    enlargement.pull(downloading(quiet))
    check_stdout(inputs, output, as_json)
    outcomes = upscale_files(
        inputs,
        output,
        enlargement,
        overwrite=overwrite,
        threads=threads,
        max_memory=max_memory,
        progress=lambda name: progress_bar(name, quiet=quiet),
    )
    print_outcomes(outcomes, len(inputs), quiet=quiet, as_json=as_json, verbose=verbose, null=print0)


def check_stdout(inputs: list[str], output: str | None, as_json: bool) -> None:
    """A picture on standard output shares it with nothing else."""
    from scales_cli.errors import UsageError

    if output != "-" and not (output is None and inputs == ["-"]):
        return
    if as_json:
        raise UsageError("the picture and JSON cannot share standard output", "give a file to -o")
    if sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("a picture cannot be shown on a terminal", "give a file to -o, or redirect the output")
