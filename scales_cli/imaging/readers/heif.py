"""HEIF, as HEIC of telephones: decoded upright and cut by libheif, as pillow-heif brings it."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

from scales_cli.imaging.containers.avif import AVIF_BRANDS, HEIF_BRANDS
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import Rows, Samples, stretch, unpremultiplied


def is_heif(start: bytes) -> bool:
    """By the first bytes of a file, 64 or more: those of AVIF may begin with a brand of both."""
    if start[4:8] != b"ftyp":
        return False
    brands = [
        start[place : place + 4] for place in (8, *range(16, min(len(start), int.from_bytes(start[:4], "big")), 4))
    ]
    return brands[0] in HEIF_BRANDS and not any(brand in AVIF_BRANDS for brand in brands)


def open_image(stream: BinaryIO) -> Image.Image:
    """An image that is not loaded yet."""
    from pillow_heif.as_plugin import HeifImageFile

    image: Image.Image = HeifImageFile(stream)
    return image


def open_deep_rows(stream: BinaryIO, samples: Samples) -> Rows:
    """The rows of a picture of more than 8 bits, which Pillow would be given as 8."""
    import pillow_heif

    stream.seek(0)
    file = pillow_heif.HeifFile(stream, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    image = file[file.primary_index]
    pixels = np.asarray(image).reshape(image.size[1], image.size[0], samples.channels)
    maximum = 2 ** image.info["bit_depth"] - 1

    def rows(top: int, bottom: int) -> Pixels:
        strip = stretch(pixels[top:bottom], maximum, samples.dtype)
        return unpremultiplied(strip) if image.premultiplied_alpha else strip

    return rows
