"""Options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated

import typer


def parse_scale(text: str | int) -> int:
    """An option's text, or its default value: Typer parses that, too."""
    if str(text) not in ("2", "3", "4"):
        raise typer.BadParameter(f"{text!r} is not 2, 3 or 4")
    return int(text)


def parse_count(text: str | int) -> int:
    """A number that may end in K, M or G, which are powers of 1024."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)([KMG]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    if match is None or not (count := int(float(match[1]) * 1024 ** " KMG".index(match[2].upper() or " "))):
        raise typer.BadParameter(f"{text!r} is not a number such as 500M or 2G")
    return count


ScaleOpt = Annotated[
    int, typer.Option("-s", "--scale", parser=parse_scale, metavar="2|3|4", help="Enlarge each side by this.")
]
ModelOpt = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME|FILE",
        envvar="SCALES_MODEL",
        help="A model's name (tiny, scales-tiny-x4) or a packed .safetensors file.",
    ),
]
ThreadsOpt = Annotated[
    int | None,
    typer.Option(
        "-t",
        "--threads",
        min=1,
        max=1024,
        metavar="N",
        envvar="SCALES_THREADS",
        show_default="usable cores",
        help="Threads to compute with.",
    ),
]
MaxMemoryOpt = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        parser=parse_count,
        metavar="SIZE",
        envvar="SCALES_MAX_MEMORY",
        show_default="half of what is free, at most 2G",
        help="Memory to stay within, as 500M or 2G; never changes the result.",
    ),
]
MaxPixelsOpt = Annotated[
    int, typer.Option("--max-pixels", parser=parse_count, metavar="N", help="Refuse results of more pixels than this.")
]
TileOpt = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=16,
        metavar="N",
        show_default="automatic",
        help="Side of the tiles of large pictures, in input pixels; never changes the result.",
    ),
]
QuietOpt = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors (and --json).")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print results as JSON on standard output.")]
