"""`scales upscale`."""

from __future__ import annotations

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
    from scales_cli.cli.console import check_stdout, downloading, print_outcomes, progress_bar
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
    if goes_to_stdout(inputs, output):
        check_stdout("picture", as_json=as_json)
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


def goes_to_stdout(inputs: list[str], output: str | None) -> bool:
    return output == "-" or (output is None and inputs == ["-"])
