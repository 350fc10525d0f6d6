"""What the texts of options mean."""

from __future__ import annotations

import math
import re

import typer


def parse_scale(text: str | int) -> int:
    """An option's text, or its default value: Typer parses that, too."""
    if str(text) not in ("2", "3", "4"):
        raise typer.BadParameter(f"{text!r} is not 2, 3 or 4")
    return int(text)


def parse_factor(text: str | float) -> float:
    """A number above 1, up to what a network reaches, as 2, 1.5 or 2x."""
    try:
        factor = float(str(text).lower().removesuffix("x"))
    except ValueError:
        factor = math.nan
    if not 1 < factor <= 4:
        raise typer.BadParameter(f"{text!r} is not a number above 1, up to 4; for more, enlarge the result again")
    return factor


def parse_count(text: str | int) -> int:
    """A number that may end in K, M or G, which are powers of 1024."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)([KMG]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    if match is None or not (count := int(float(match[1]) * 1024 ** " KMG".index(match[2].upper() or " "))):
        raise typer.BadParameter(f"{text!r} is not a number such as 500M or 2G")
    return count


def parse_ensemble(text: str | int) -> int:
    """How many flips and turns."""
    if str(text) not in ("1", "2", "4", "8"):
        raise typer.BadParameter(f"{text!r} is not 1, 2, 4 or 8")
    return int(text)


def parse_denoise(text: str | float | None) -> float | None:
    """A strength in [0, 1] from one in percent; None from "auto"."""
    if text == "auto":
        return None
    try:
        percent = float(str(text).removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= 100:
        raise typer.BadParameter(f"{text!r} is not auto or a number from 0 to 100")
    return percent / 100


def parse_point(text: str | tuple[int, int]) -> tuple[int, int]:
    """Two whole numbers, x and y, as 640,480."""
    if isinstance(text, tuple):
        return text
    match = re.fullmatch(r"(\d{1,9})\s*[,x]\s*(\d{1,9})", text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not two numbers such as 640,480")
    return int(match[1]), int(match[2])


def parse_moment(text: str) -> str:
    """A time in seconds, as 90, 1:30 or 0:01:30.5."""
    if not re.fullmatch(r"(\d{1,4}:){0,2}\d{1,6}(\.\d{1,9})?", text):
        raise typer.BadParameter(f"{text!r} is no time such as 90, 1:30 or 0:01:30.5")
    return text
