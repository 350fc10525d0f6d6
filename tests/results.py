"""The pictures that a batch has put into a folder."""

from __future__ import annotations

from pathlib import Path


def made(folder: str | Path = "out") -> list[Path]:
    """All that are whole: what is hidden is still written, or records."""
    return list(Path(folder).rglob("[!.]*.png"))


def outputs(folder: str | Path = "out") -> dict[str, bytes]:
    """By their paths below the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in made(folder)}
