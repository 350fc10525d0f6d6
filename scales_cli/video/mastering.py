"""What screen an HDR video was mastered on and how bright it gets, as encoders want to be told."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# FFmpeg's side data of a frame, by names of PyAV
SCREEN, LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"


@dataclass(frozen=True)
class _Words:
    """What an encoder calls them, and the parts of one in which it wants chromaticities and luminances (cd/m^2)."""

    screen: str
    light: str
    chromaticity_parts: int
    luminance_parts: int
    digits: tuple[int, int]  # after the point, of both


_WORDS = {
    "hevc": _Words("master-display", "max-cll", 50000, 10000, (0, 0)),  # x265
    "av1": _Words("mastering-display", "content-light", 1, 1, (5, 4)),  # SVT-AV1
}


def told_mastering(codec: str) -> bool:
    """Whether there are words for it."""
    return codec in _WORDS


def mastering_parameters(codec: str, data: Mapping[str, bytes]) -> Iterator[str]:
    """NAME=VALUE of what there is of the side data, for the encoder of a codec that is told."""
    words = _WORDS[codec]
    if SCREEN in data:
        points, luminances = _screen(data[SCREEN])
        red, green, blue, white = (_pair(point, words.chromaticity_parts, words.digits[0]) for point in points)
        luminance = _pair(luminances[::-1], words.luminance_parts, words.digits[1])
        yield f"{words.screen}=G{green}B{blue}R{red}WP{white}L{luminance}"
    if LIGHT in data:
        yield "{}={},{}".format(words.light, *_light(data[LIGHT]))


def _pair(values: tuple[float, float], parts: int, digits: int) -> str:
    return "({:.{digits}f},{:.{digits}f})".format(*(parts * value for value in values), digits=digits)


def _screen(data: bytes) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """The places of red, green, blue and white, and the least and the most luminance."""
    numbers = struct.unpack_from("=20i", data)
    values = [above / below if below else 0.0 for above, below in zip(numbers[::2], numbers[1::2], strict=True)]
    return list(zip(values[:8:2], values[1:8:2], strict=True)), (values[8], values[9])


def _light(data: bytes) -> tuple[int, int]:
    """Of the brightest pixel, and of the brightest frame on average."""
    most, average = struct.unpack_from("=2I", data)
    return most, average
