"""AVIF of 10 and 12 bits: decoded a second time, by OpenCV, as Pillow gives 8 bits."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

from scales_cli.imaging.containers.avif import read_avif
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers import pillow
from scales_cli.imaging.readers.opencv import RGB_ORDER, decode_deep
from scales_cli.imaging.readers.samples import Rows, Samples, stretch, strips_of

_TOLERANCE = 8  # of 255; two conversions of the same luma and color differences differ by 3


def open_rows(stream: BinaryIO, image: Image.Image, samples: Samples) -> tuple[Rows, str | None]:
    """The rows of a loaded image, and a note if they have 8 bits: OpenCV cannot read them, or disagrees with Pillow."""
    depth, expected = read_avif(stream).depth, pillow.open_rows(image, samples)[0]
    stream.seek(0)
    decoded = decode_deep(stream.read(), image.size)

    def rows(top: int, bottom: int) -> Pixels:
        assert decoded is not None
        pixels = decoded[top:bottom]
        if samples.channels > 1:
            pixels = pixels[..., RGB_ORDER[: samples.channels]]
        return stretch(pixels, 2**depth - 1, samples.dtype)

    def stretched(top: int, bottom: int) -> Pixels:
        return stretch(expected(top, bottom), 255, samples.dtype)

    if decoded is not None and decoded.shape[2] == samples.channels and _agree(rows, stretched, image):
        return rows, None
    return stretched, f"its {depth} bits a channel were read as 8"


def _agree(first: Rows, second: Rows, image: Image.Image) -> bool:
    for strip in strips_of(image.height, image.width):
        difference = first(*strip).astype(np.int32) - second(*strip)
        if np.abs(difference).max() > 257 * _TOLERANCE:
            return False
    return True
