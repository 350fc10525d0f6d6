"""Options that several commands share."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scales_cli.imaging.options import OutputOptions
    from scales_cli.pipeline.sizing import Sizing


def parse_scale(text: str | int) -> int:
    """An option's text, or its default value: Typer parses that, too."""
    if str(text) not in ("2", "3", "4"):
        raise typer.BadParameter(f"{text!r} is not 2, 3 or 4")
    return int(text)


def parse_factor(text: str | float) -> float:
    """A number above 1, up to what a network reaches."""
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 1 < factor <= 4:
        raise typer.BadParameter(f"{text!r} is not a number above 1, up to 4")
    return factor


def parse_count(text: str | int) -> int:
    """A number that may end in K, M or G, which are powers of 1024."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)([KMG]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    if match is None or not (count := int(float(match[1]) * 1024 ** " KMG".index(match[2].upper() or " "))):
        raise typer.BadParameter(f"{text!r} is not a number such as 500M or 2G")
    return count


def parse_format(text: str) -> str:
    """A writable format's extension without the dot."""
    from scales_cli.imaging.formats import FORMATS

    known = [extension[1:] for item in FORMATS if item.writable for extension in item.extensions]
    if text.lower() not in known:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(known)}")
    return text.lower()


def parse_colour(text: str) -> str:
    """A name or notation of CSS, as #rrggbb."""
    from PIL import ImageColor

    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a colour such as white or #ffeedd") from error
    if alpha and alpha[0] != 255:
        raise typer.BadParameter(f"{text!r} is transparent itself")
    return f"#{red:02x}{green:02x}{blue:02x}"


def parse_metadata(text: str) -> str:
    if text not in ("safe", "keep", "none"):
        raise typer.BadParameter(f"{text!r} is not safe, keep or none")
    return text


def parse_frames(text: str) -> str:
    if text not in ("first", "all"):
        raise typer.BadParameter(f"{text!r} is not first or all")
    return text


Scale = Annotated[
    int, typer.Option("-s", "--scale", parser=parse_scale, metavar="2|3|4", help="Enlarge each side by this.")
]
Factor = Annotated[
    float | None,
    typer.Option(
        "-s",
        "--scale",
        parser=parse_factor,
        metavar="N",
        show_default="4",
        help="Enlarge each side by this: 2, 3, 4 or a number between, for which a larger result is shrunk.",
    ),
]
Width = Annotated[
    int | None, typer.Option("--width", min=1, metavar="N", help="Instead of a scale: as large as this width allows.")
]
Height = Annotated[int | None, typer.Option("--height", min=1, metavar="N", help="The same for a height.")]
MaxSize = Annotated[
    int | None, typer.Option("--max-size", min=1, metavar="N", help="The same for the longer of both sides.")
]
Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME|FILE",
        envvar="SCALES_MODEL",
        show_default="that of `scales models default`",
        help="A model's name (tiny, scales-base-x4) or a packed .safetensors file.",
    ),
]
Threads = Annotated[
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
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        parser=parse_count,
        metavar="SIZE",
        envvar="SCALES_MAX_MEMORY",
        show_default="half of what is free, at most 2G",
        help="Memory to stay within, as 500M or 2G; never changes the result of an SRResNet (tiny, base).",
    ),
]
MaxPixels = Annotated[
    int, typer.Option("--max-pixels", parser=parse_count, metavar="N", help="Refuse results of more pixels than this.")
]
Tile = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=16,
        metavar="N",
        show_default="automatic",
        help="Side of the tiles of large pictures, in input pixels; never changes the result of an SRResNet.",
    ),
]


def go_offline(offline: bool) -> bool:
    """Through the environment, so that worker processes are told, too."""
    if offline:
        os.environ["SCALES_OFFLINE"] = "1"
    return offline


Offline = Annotated[
    bool, typer.Option("--offline", callback=go_offline, help="Download nothing; also by SCALES_OFFLINE=1.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors (and --json).")]
Json = Annotated[bool, typer.Option("--json", help="Print results as JSON on standard output.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        parser=parse_format,
        metavar="png|jpg|webp|tif|bmp|ppm",
        show_default="that of the output's name, or the input's",
        help="Format of the results.",
    ),
]
Quality = Annotated[
    int | None,
    typer.Option("--quality", min=1, max=100, metavar="N", show_default="95", help="Quality of JPEG and lossy WebP."),
]
Lossless = Annotated[bool, typer.Option("--lossless", help="Write WebP without loss.")]
Background = Annotated[
    str | None,
    typer.Option(
        "--background",
        parser=parse_colour,
        metavar="COLOUR",
        show_default="white, in formats that hold no transparency",
        help="Replace transparency by a colour, as white or #ffeedd.",
    ),
]
Metadata = Annotated[
    str,
    typer.Option(
        "--metadata",
        parser=parse_metadata,
        metavar="safe|keep|none",
        help="EXIF and XMP to keep: how the picture was made, all that is still true, or none.",
    ),
]

Frames = Annotated[
    str,
    typer.Option(
        "--frames",
        parser=parse_frames,
        metavar="first|all",
        help="Of animations: the first frame, or all, as WebP or animated PNG.",
    ),
]


def sizing_options(
    factor: float | None, width: int | None, height: int | None, longest: int | None, scales: tuple[int, ...]
) -> Sizing:
    """What these options say together; `scales` are those of the model."""
    from scales_cli.errors import UsageError
    from scales_cli.pipeline.sizing import Sizing

    if factor is None:
        return Sizing(width=width, height=height, longest=longest, scales=scales)
    if (width, height, longest) != (None, None, None):
        raise UsageError("a scale and a size exclude each other", "leave out -s")
    return Sizing(factor, scales=scales)


def output_options(
    image_format: str | None, quality: int | None, lossless: bool, background: str | None, metadata: str, frames: str
) -> OutputOptions:
    """What these six options say together."""
    from pathlib import PurePath

    from scales_cli.imaging.formats import format_for
    from scales_cli.imaging.options import Metadata, OutputOptions

    colour = None
    if background is not None:
        red, green, blue = bytes.fromhex(background[1:])
        colour = (red, green, blue)
    return OutputOptions(
        format=None if image_format is None else format_for(PurePath(f"result.{image_format}")),
        quality=quality,
        lossless=lossless,
        background=colour,
        metadata=Metadata(metadata),
        all_frames=frames == "all",
    )
