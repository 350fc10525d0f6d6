"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from scales_cli.cli.command import OTHER
from scales_cli.cli.values import (
    parse_count,
    parse_denoise,
    parse_ensemble,
    parse_factor,
    parse_scale,
)

_STANDARD_STREAMS = frozenset(
    {"/dev/stdin", "/dev/stdout", "/dev/fd/0", "/dev/fd/1", "/proc/self/fd/0", "/proc/self/fd/1"}
)


def parse_stream(name: str) -> str:
    """A name as it is, `-` for the system's own of a standard stream, which is no file that could be replaced."""
    return "-" if name in _STANDARD_STREAMS else name


def parse_inputs(inputs: list[str]) -> list[str]:
    return [parse_stream(name) for name in inputs]


def suggest_models(incomplete: str) -> list[str]:
    """Sizes and full names that begin so, for a shell's completion."""
    from scales_cli.weights.registry import AUTO
    from scales_cli.weights.store import Store

    store = Store()
    published = [entry.name for entry in store.registry.entries]
    names = [*published, *(model.name for model in store.imported())]
    sizes = [name.removeprefix("scales-").rpartition("-x")[0] for name in published]
    return [name for name in dict.fromkeys([AUTO, *sizes, *names]) if name.startswith(incomplete)]


def suggesting(*values: str) -> Callable[[str], list[str]]:
    """A completion of these values."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


def go_offline(offline: bool) -> bool:
    """Through the environment, so that worker processes are told, too."""
    if offline:
        os.environ["SCALES_OFFLINE"] = "1"
    return offline


def flag(*names: str, panel: str, help: str, **more: Any) -> Any:
    """An option without a value."""
    return typer.Option(*names, rich_help_panel=panel, help=help, **more)


SIZE, OUTPUT, LIMITS = "Size and model", "Output", "Limits"

Scale = Annotated[
    int,
    typer.Option(
        "-s",
        "--scale",
        parser=parse_scale,
        metavar="2|3|4",
        autocompletion=suggesting("2", "3", "4"),
        show_default=False,
        rich_help_panel=SIZE,
        help="Times that each side grows. Default: 4.",
    ),
]
Factor = Annotated[
    float | None,
    typer.Option(
        "-s",
        "--scale",
        parser=parse_factor,
        metavar="N",
        autocompletion=suggesting("2", "3", "4"),
        show_default=False,
        rich_help_panel=SIZE,
        help="Times that each side grows: 2, 3, 4 or a number between, as 1.5. Default: 4.",
    ),
]
Width = Annotated[
    int | None,
    typer.Option("--width", min=1, metavar="N", rich_help_panel=SIZE, help="Instead of -s: the largest width."),
]
Height = Annotated[
    int | None,
    typer.Option("--height", min=1, metavar="N", rich_help_panel=SIZE, help="Instead of -s: the largest height."),
]
MaxSize = Annotated[
    int | None,
    typer.Option("--max-size", min=1, metavar="N", rich_help_panel=SIZE, help="Instead of -s: the longest side."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME|FILE",
        envvar="SCALES_MODEL",
        show_envvar=False,
        autocompletion=suggest_models,
        rich_help_panel=SIZE,
        help="auto, base, tiny, another of `scales models list`, or a file. Default: auto.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="EXT",
        autocompletion=suggesting("png", "jpg", "webp", "tif", "bmp", "ppm"),
        rich_help_panel=OUTPUT,
        help="png, jpg, webp, tif, bmp or ppm. Default: the output's, or the input's.",
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        "--quality",
        min=1,
        max=100,
        metavar="N",
        rich_help_panel=OUTPUT,
        help="Of JPEG and lossy WebP. Default: 95.",
    ),
]
Lossless = Annotated[bool, flag("--lossless", panel=OUTPUT, help="Write WebP without loss.")]
Background = Annotated[
    str | None,
    typer.Option(
        "--background",
        metavar="COLOR",
        rich_help_panel=OUTPUT,
        help="A color instead of transparency.",
    ),
]
Metadata = Annotated[
    str,
    typer.Option(
        "--metadata",
        metavar="safe|keep|none",
        autocompletion=suggesting("safe", "keep", "none"),
        show_default=False,
        rich_help_panel=OUTPUT,
        help="EXIF, texts: without places and serial numbers (safe), all, none.",
    ),
]
Frames = Annotated[
    str,
    typer.Option(
        "--frames",
        metavar="first|all",
        autocompletion=suggesting("first", "all"),
        show_default=False,
        rich_help_panel=OUTPUT,
        help="Of animations: the first, or all.",
    ),
]
Denoise = Annotated[
    float | None,
    typer.Option(
        "--denoise",
        parser=parse_denoise,
        metavar="auto|0-100",
        autocompletion=suggesting("auto", "0", "50", "100"),
        show_default=False,
        rich_help_panel=SIZE,
        help="How much noise and JPEG blocks are mended. Default: auto.",
    ),
]
Ensemble = Annotated[
    int,
    typer.Option(
        "--ensemble",
        parser=parse_ensemble,
        metavar="1|2|4|8",
        autocompletion=suggesting("1", "2", "4", "8"),
        show_default=False,
        rich_help_panel=SIZE,
        help="Mean of so many flips and turns: better, and as many times as slow. Default: 1.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="TEMPLATE",
        rich_help_panel=OUTPUT,
        help="Names of results, of {stem}, {from}, {scale}, {model}, {ext}.",
    ),
]
KeepTimes = Annotated[bool, flag("--keep-times", panel=OUTPUT, help="Keep the modification times.")]
Salvage = Annotated[bool, flag("--salvage", panel=OUTPUT, help="Enlarge what is left of cut pictures.")]
Threads = Annotated[
    int | None,
    typer.Option(
        "-t",
        "--threads",
        min=1,
        max=1024,
        metavar="N",
        envvar="SCALES_THREADS",
        show_envvar=False,
        rich_help_panel=LIMITS,
        help="Threads. Default: all usable cores.",
    ),
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        parser=parse_count,
        metavar="SIZE",
        envvar="SCALES_MAX_MEMORY",
        show_envvar=False,
        rich_help_panel=LIMITS,
        help="Memory, as 500M. Default: half of what is free, up to 2G.",
    ),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        parser=parse_count,
        metavar="N",
        show_default=False,
        rich_help_panel=LIMITS,
        help="Refuse larger results. Default: 1G.",
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=16,
        metavar="N",
        rich_help_panel=LIMITS,
        help="Side of tiles, in input pixels.",
    ),
]
Overwrite = Annotated[bool, flag("--overwrite", panel=OUTPUT, help="Replace files that exist.")]
Offline = Annotated[
    bool, flag("--offline", panel=OTHER, help="Download nothing. Also: SCALES_OFFLINE=1.", callback=go_offline)
]
Verbose = Annotated[bool, flag("-v", "--verbose", panel=OTHER, help="Say which model each picture gets, and why.")]
Quiet = Annotated[bool, flag("-q", "--quiet", panel=OTHER, help="Print nothing but errors and --json.")]
Print0 = Annotated[bool, flag("-0", "--print0", panel=OTHER, help="Print paths with a zero byte behind each.")]
Json = Annotated[bool, flag("--json", panel=OTHER, help="Print results as lines of JSON.")]
