"""What screen an HDR video was mastered on and how bright it gets, as encoders want to be told."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

# FFmpeg's side data of a frame, by names of PyAV's
SCREEN, LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"


def for_x265(data: Mapping[str, bytes]) -> Iterator[str]:
    """In units of 1/50000 of chromaticity and 1/10000 of a candela for each square metre."""
    if SCREEN in data:
        points, (least, most) = _screen(data[SCREEN])
        red, green, blue, white = (f"({round(x * 50000)},{round(y * 50000)})" for x, y in points)
        yield f"master-display=G{green}B{blue}R{red}WP{white}L({round(most * 10000)},{round(least * 10000)})"
    if LIGHT in data:
        yield "max-cll={},{}".format(*_light(data[LIGHT]))


def for_svt_av1(data: Mapping[str, bytes]) -> Iterator[str]:
    if SCREEN in data:
        points, (least, most) = _screen(data[SCREEN])
        red, green, blue, white = (f"({x:.5f},{y:.5f})" for x, y in points)
        yield f"mastering-display=G{green}B{blue}R{red}WP{white}L({most:.4f},{least:.4f})"
    if LIGHT in data:
        yield "content-light={},{}".format(*_light(data[LIGHT]))


def _screen(data: bytes) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """The places of red, green, blue and white, and the least and the most luminance."""
    numbers = struct.unpack_from("=20i", data)
    values = [above / below if below else 0.0 for above, below in zip(numbers[::2], numbers[1::2], strict=True)]
    return list(zip(values[:8:2], values[1:8:2], strict=True)), (values[8], values[9])


def _light(data: bytes) -> tuple[int, int]:
    """Of the brightest pixel, and of the brightest frame on average."""
    most, average = struct.unpack_from("=2I", data)
    return most, average
