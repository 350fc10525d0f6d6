"""The result of a survey, and how much a file may hold of what is not pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from scales_cli.errors import InputError
from scales_cli.imaging.containers.excerpt import Part, excerpt

MAX_PROFILE_BYTES = 2**24
MAX_EXIF_BYTES = 2**22
MAX_TEXT_BYTES = 2**24  # all texts of a file, or its XMP
MAX_RECORD_BYTES = 2**20  # comments, or IPTC and what else Photoshop records
MAX_TEXTS = 1000
MAX_SEGMENTS = 10_000  # or chunks, boxes, tags: of all that are neither pixels nor frames
MAX_FRAMES = 10_000
MAX_SCANS = 100  # as in libtiff

_HINT = "open it in an image editor and save it again"


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a file holds for decoders, within bounds.

    `stream` has what they need; the header is read from `head`, if that is another one. `held_bytes` is what they hold
    beside pixels.
    `left_out` says which metadata are beyond the bounds, `notes` what else a user should know. `frames` are those of an
    animation, or pages. `several_scans` if no row of a JPEG is complete before the last scan, `is_cut` if its end
    is not marked, where it is now; then it `lacks_scans` if there are not all of them.
    """

    stream: BinaryIO
    head: BinaryIO | None = None
    held_bytes: int = 0
    frames: int = 1
    coded_pixels: int = 0  # of the largest frame, if the file tells it apart from its size
    profile: bytes | None = None  # if it is not left to decoders
    several_scans: bool = False
    is_cut: bool = False
    lacks_scans: bool = False
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check_count(count: int, most: int, what: str) -> None:
    """Raises `InputError` if a file has more than `most` of something."""
    if count > most:
        raise InputError(f"it has more than {most} {what}", _HINT)


def check_bytes(size: int, most: int, what: str) -> None:
    """Raises `InputError` if something in a file is longer than `most` bytes."""
    if size > most:
        raise InputError(f"it has more than {_described(most)} of {what}", _HINT)


def too_long(what: str, most: int) -> str:
    """A note of metadata that are left out."""
    return f"its {what} beyond {_described(most)} were left out"


def excerpt_unless_all(stream: BinaryIO, parts: Sequence[Part], end: int = 0) -> BinaryIO:
    """A stream of these parts; the file itself if they are all of it, from its beginning to its `end`.

    That need not be given if decoders stop where the parts end.
    """
    position = 0
    for part in parts:
        if isinstance(part, bytes) or part[0] != position:
            return excerpt(stream, parts)
        position = part[1]
    return stream if position >= end else excerpt(stream, parts)


def _described(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 2**20 else f"{count >> 10} KiB" if count >= 2**10 else f"{count} bytes"
