"""`scales video`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import scales_cli.cli.options as opt
from scales_cli.cli.values import parse_factor, parse_moment


def parse_codec(text: str) -> str:
    if text not in CODECS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(CODECS)}")
    return text


Input = Annotated[str, typer.Argument(metavar="INPUT", help="A video, or - for a Y4M stream from standard input.")]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE|-",
        rich_help_panel=opt.OUTPUT,
        help="A file of .mkv, .mp4, .mov, .webm, .avi or .y4m; - writes Y4M to standard output.",
    ),
]
Factor = Annotated[
    float | None,
    typer.Option(
        "-s",
        "--scale",
        parser=parse_factor,
        metavar="N",
        autocompletion=opt.suggesting("2", "3", "4"),
        show_default=False,
        rich_help_panel=opt.SIZE,
        help="Times that each side grows. Default: 2.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME|FILE",
        autocompletion=opt.suggest_models,
        show_default=False,
        rich_help_panel=opt.SIZE,
        help="base, another of `scales models list`, or a file; auto takes what fits each scene. Default: tiny.",
    ),
]
CODECS = ("h264", "hevc", "av1", "vp9", "ffv1", "same")
Codec = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        parser=parse_codec,
        autocompletion=opt.suggesting(*CODECS),
        rich_help_panel=opt.OUTPUT,
        help=f"{', '.join(CODECS[:-1])}, or the same as the input's. Default: h264; of 10 bits hevc, in .webm vp9.",
    ),
]
Crf = Annotated[
    int | None,
    typer.Option(
        min=0, max=63, metavar="N", rich_help_panel=opt.OUTPUT, help="Quality, smaller is better. Default: 17 of h264."
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        parser=parse_moment, metavar="TIME", rich_help_panel=opt.OUTPUT, help="Leave out what is before, as 1:30."
    ),
]
End = Annotated[
    str | None,
    typer.Option(parser=parse_moment, metavar="TIME", rich_help_panel=opt.OUTPUT, help="Leave out what is after."),
]


def video(
    source: Input,
    output: Output,
    scale: Factor = None,
    width: opt.Width = None,
    height: opt.Height = None,
    model: Model = "tiny",
    denoise: opt.Denoise = "auto",  # type: ignore[assignment]
    ensemble: opt.Ensemble = 1,
    codec: Codec = None,
    crf: Crf = None,
    start: Start = None,
    end: End = None,
    keep_partial: Annotated[
        bool, opt.flag("--keep-partial", panel=opt.OUTPUT, help="On Ctrl-C or damage, keep the frames made until then.")
    ] = False,
    overwrite: opt.Overwrite = False,
    threads: opt.Threads = None,
    max_memory: opt.MaxMemory = None,
    max_pixels: opt.MaxPixels = "1G",  # type: ignore[assignment]
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    offline: opt.Offline = False,
) -> None:
    """Enlarge a video, frame by frame and steadily.

    $ scales video small.mkv -o large.mkv -s 2
    $ ffmpeg -i in.mp4 -f yuv4mpegpipe - | scales video - -o - | ffmpeg -i - out.mp4
    """
    from scales_cli.cli.console import check_stdout, downloading, print_result, printable, say
    from scales_cli.cli.video_view import frame_bar
    from scales_cli.errors import UsageError
    from scales_cli.pipeline.sizing import Sizing
    from scales_cli.pipeline.targets import check_clashes, check_target
    from scales_cli.pipeline.upscalers import Upscalers
    from scales_cli.storage.address import Address
    from scales_cli.video.run import STREAM, VideoOptions, enlarge_video
    from scales_cli.weights.family import resolve

    if output == STREAM:
        check_stdout("video", as_json=as_json)
        if keep_partial:
            raise UsageError("--keep-partial is for files", "leave it out: what was written to a pipe is there")
    if not output:
        raise UsageError("the output's name is empty", "give a file or -")
    for name in (source, output):
        if Address.parse(name) is not None:
            raise UsageError(f"{name}: videos are read from files and written to files", "copy it, or pipe it")
    options = VideoOptions.of(codec, crf, start, end, keep_partial=keep_partial)
    target = None if output == STREAM else Path(output)
    if target is not None:
        check_clashes([(source, target)], [] if source == STREAM else [source])
        check_target(target, overwrite)
    family = resolve(model)
    sizing = Sizing.of(scale, width, height, None, scales=family.scales, default=2)
    family.pull(sizing.network_scales[0], downloading(quiet))
    with frame_bar(source, quiet=quiet) as watch:
        result = enlarge_video(
            source,
            target,
            Upscalers(family, threads, ensemble=ensemble),
            sizing,
            options,
            overwrite=overwrite,
            strength=denoise,
            max_pixels=max_pixels,
            max_memory=max_memory,
            watch=watch,
            kept=lambda count: say(f"scales: {printable(output)}: the first {count} frames were kept"),
        )
    print_result(result, quiet=quiet, as_json=as_json)
