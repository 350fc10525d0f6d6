"""What the header of a Windows bitmap says of its colors: those of version 4 and 5 have a place for it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

_FILE_HEADER_BYTES = 14
_VERSION_4_BYTES, _VERSION_5_BYTES = 108, 124
_CALIBRATED, _EMBEDDED, _LINKED = 0, int.from_bytes(b"MBED", "big"), int.from_bytes(b"LINK", "big")


@dataclass(frozen=True)
class BmpColors:
    """A profile that is in the file or only named there, or the chromaticities (x, y) of red, green, blue, and a gamma.

    The gamma is the exponent that makes light of coded values.
    """

    profile: bytes | None = None
    is_linked: bool = False
    primaries: tuple[tuple[float, float], ...] = ()
    gamma: float = 0.0


def read_bmp_colors(stream: BinaryIO, max_bytes: int) -> BmpColors:
    """What a bitmap says; a profile beyond `max_bytes` is not read."""
    stream.seek(0)
    start = _FILE_HEADER_BYTES if stream.read(2) == b"BM" else 0
    stream.seek(start)
    header = stream.read(_VERSION_5_BYTES)
    size = int.from_bytes(header[:4], "little")
    if size < _VERSION_4_BYTES or len(header) < _VERSION_4_BYTES:
        return BmpColors()
    kind, *numbers = struct.unpack_from("<I9i3I", header, 56)
    if kind == _CALIBRATED:
        points = tuple(_chromaticity(*numbers[first : first + 3]) for first in (0, 3, 6))
        return (
            BmpColors(primaries=points, gamma=numbers[10] / 65536) if all(numbers[:9]) and numbers[10] else BmpColors()
        )
    if size < _VERSION_5_BYTES or len(header) < _VERSION_5_BYTES or kind not in (_EMBEDDED, _LINKED):
        return BmpColors()
    if kind == _LINKED:
        return BmpColors(is_linked=True)
    place, length = struct.unpack_from("<II", header, 112)
    stream.seek(start + place)
    return BmpColors(profile=stream.read(length) if length <= max_bytes else None)


def _chromaticity(x: int, y: int, z: int) -> tuple[float, float]:
    total = x + y + z
    return (x / total, y / total) if total else (0.0, 0.0)
