"""`scales bench`.

With `--json`, one object on standard output. A spread is {"median", "low", "high"} over the rounds, low and high being
the extremes; null stands for what could not be measured.

    version     1
    scale       of the models
    ensemble    flips and turns that scales sees
    machine     cpu, cores, system, isa (of scales' kernels), amx (what rivals do with Intel's matrix units: used,
                kept off, absent), limits (environment variables that narrow instruction sets), versions (of runtimes)
    published   network, precision, psnr (by set): of weights for networks of `front` that others have trained
    skipped     contender -> why it did not take part
    contests    one for each model, size and number of threads, all of whose rows were timed in turn, those of the other
                models under their names:
      video     whether frames of video were enlarged, with their color
      model, trained (false: seeded random weights), width, height (of the LR picture), threads, rounds
      rows
        contender
        ns_per_pixel                  spread; nanoseconds for each LR pixel
        times_scales                  spread; its time over that of scales in the same round
        output_megapixels_per_second  from the median
        busy_cores                    processor time over time
        peak_memory                   bytes; largest resident set of its process, libraries included
        model_bytes                   what it loads
        cost                          parameters, and operations for 320 x 180 LR pixels; see `backbones/cost.py`
        psnr                          dB on the luma of --data; null without it, and for networks that are not trained
      layer     one fused binary layer on one thread (null for more threads):
        ns_per_pixel, macs_per_second       spreads
        peak_macs_per_second                spread; xor, popcount and add on registers, measured before each run
        fraction                            spread; of it, more than 1 with AVX2
    marginals   model, threads, contender, ns_per_pixel: (time of the largest - time of the smallest picture) / pixels
                between them, from medians
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import scales_cli.cli.options as opt

MAX_SIDE = 2**15
AGAINST = (
    "The same network in full precision: torch-fp32, torch-bf16, openvino-fp32, openvino-bf16, openvino-int8, "
    "onnxruntime. The same binary network: openvino-binary. Small ones: front (plain, the best for their time), "
    "fsrcnn, espcn. Interpolation: bicubic, "
    "lanczos. The whole program: upscale. Of --video: fsrcnn, espcn, lanczos, and "
    "still: scales on frames of which a quarter changes. Default: all."
)


def suggest_contenders(incomplete: str) -> list[str]:
    """Lists that are longer by a contender, for a shell's completion."""
    from scales_cli.bench.contenders.registry import CONTENDERS, VIDEO_CONTENDERS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in CONTENDERS | VIDEO_CONTENDERS if name.startswith(last)]


def parse_sizes(text: str) -> tuple[tuple[int, int], ...]:
    sizes = []
    for part in text.split(","):
        width, _, height = part.partition("x")
        if not (width.isdecimal() and height.isdecimal() and all(2 <= int(n) <= MAX_SIDE for n in (width, height))):
            raise typer.BadParameter(f"{part!r} is not a size like 480x270")
        sizes.append((int(width), int(height)))
    return tuple(dict.fromkeys(sizes))


def parse_threads(text: str) -> tuple[int, ...]:
    if not all(part.isdecimal() and 1 <= int(part) <= 1024 for part in text.split(",")):
        raise typer.BadParameter(f"{text!r} is not a list like 1,2")
    return tuple(dict.fromkeys(map(int, text.split(","))))


CONTEST = "Contests"


def bench(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="NAME|FILE",
            autocompletion=opt.suggest_models,
            rich_help_panel=opt.SIZE,
            help="Repeated ones take turns. Default: base, or what `models default` names; of --video tiny.",
        ),
    ] = None,
    scale: opt.Scale = 4,
    ensemble: opt.Ensemble = 1,
    size: Annotated[
        Any,
        typer.Option(
            "--size", parser=parse_sizes, metavar="WxH,...", rich_help_panel=CONTEST, help="Inputs. Default: 480x270."
        ),
    ] = None,
    threads: Annotated[
        Any,
        typer.Option(
            "-t",
            "--threads",
            parser=parse_threads,
            metavar="N,...",
            show_default=False,
            rich_help_panel=CONTEST,
            help="Numbers of threads. Default: 1.",
        ),
    ] = "1",
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", autocompletion=suggest_contenders, rich_help_panel=CONTEST, help=AGAINST),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, metavar="N", rich_help_panel=CONTEST, help="Runs of each. Default: 5; of --video 15."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=CONTEST, help="HR pictures to score, and to calibrate int8 on."),
    ] = None,
    no_amx: Annotated[
        bool, opt.flag("--no-amx", panel=CONTEST, help="Keep rivals from Intel's matrix units, as on other CPUs.")
    ] = False,
    video: Annotated[
        bool,
        opt.flag("--video", panel=CONTEST, help="Frames of video, network and color, by tiny."),
    ] = False,
    quick: Annotated[
        bool, opt.flag("--quick", panel=CONTEST, help="Done in 20 seconds: a small picture, few contenders.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=opt.OUTPUT, help="Draw time and memory against size, as PNG or SVG."
        ),
    ] = None,
    overwrite: opt.Overwrite = False,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    offline: opt.Offline = False,
) -> None:
    """Time models against other runtimes and networks.

    All run in turn, each in a process of its own.

    $ scales bench --quick
    $ scales bench --video -s 2 -t 1,2
    """
    from scales_cli.bench.bench import BenchRequest, run_bench
    from scales_cli.bench.contenders.registry import CONTENDERS, VIDEO_CONTENDERS, quick_names
    from scales_cli.cli.console import print_json, progress_bar, say
    from scales_cli.weights.preferences import default_model

    if plot is not None:
        from scales_cli.bench.plot import check_plot

        check_plot(plot, overwrite=overwrite)
    names = tuple(VIDEO_CONTENDERS) if video else quick_names() if quick else tuple(CONTENDERS)
    request = BenchRequest(
        models=tuple(dict.fromkeys(model or ["tiny" if video else default_model()])),
        scale=scale,
        sizes=size or ((240, 136) if quick else (480, 270),),
        threads=threads,
        against=names if against is None else tuple(filter(None, against.split(","))),
        data=data,
        rounds=rounds or (3 if quick else 15 if video else 5),
        seconds=12 if quick else float("inf"),
        ensemble=ensemble,
        amx=not no_amx,
        video=video,
    )

    def skipping(contenders: Sequence[str], reason: str) -> None:
        if not quiet:
            say(f"scales: skipped {', '.join(contenders)}: {reason}")

    with progress_bar("timing", quiet=quiet) as progress:
        report = run_bench(request, progress=progress or (lambda fraction: None), skipping=skipping)
    if plot is not None:
        from scales_cli.bench.plot import plot as draw

        draw(report, plot)
    if as_json:
        print_json(report.to_dict())
    elif not quiet:
        from scales_cli.cli.bench_view import print_report

        print_report(report)
