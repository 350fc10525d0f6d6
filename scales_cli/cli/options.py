"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer


def parse_scale(text: str | int) -> int:
    """An option's text, or its default value: Typer parses that, too."""
    if str(text) not in ("2", "3", "4"):
        raise typer.BadParameter(f"{text!r} is not 2, 3 or 4")
    return int(text)


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
        metavar="N",
        envvar="SCALES_THREADS",
        show_default="usable cores",
        help="Threads to compute with.",
    ),
]
QuietOpt = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors (and --json).")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print results as JSON on standard output.")]
