"""What Pillow decodes: every kind but CMYK, colour with 8 bits."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.ExifTags import Base as Tag

from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import (
    Rows,
    Samples,
    crop,
    holds_16_bits,
    is_grey,
    opaque_unless,
    stretch,
    tags_of,
)

_OFTEN_UNUSED_ALPHA = ("TGA", "BMP", "DIB", "ICO")  # of programs that mean four bytes a pixel


def open_rows(image: Image.Image, samples: Samples) -> tuple[Rows, str | None]:
    """The rows of a loaded image of any mode but CMYK, and a note if its alpha is not what is stored."""
    if image.format in _OFTEN_UNUSED_ALPHA and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        image.putalpha(255)
        return _rows(image, samples), "its alpha hides all of it, and was taken for unused"
    return _rows(image, samples), None


def _mend_palette(image: Image.Image) -> None:
    """Gives a TIFF the palette that it has where that is of 8 bits, which old programs write; Pillow expects 16."""
    numbers = tags_of(image).get(Tag.ColorMap, ())
    if image.mode in ("P", "PA") and max(numbers, default=256) < 256:
        image.putpalette(np.reshape(numbers, (3, -1)).T.astype(np.uint8).tobytes())


def _rows(image: Image.Image, samples: Samples) -> Rows:
    _mend_palette(image)
    transparent = image.info.get("transparency")
    if holds_16_bits(image):
        white_is_zero = image.format == "TIFF" and tags_of(image).get(Tag.PhotometricInterpretation) == 0

        def grey_rows(top: int, bottom: int) -> Pixels:
            grey = np.asarray(crop(image, top, bottom)).astype(np.uint16)[..., None]
            if white_is_zero:
                return 65535 - grey  # Pillow inverts 8 bits only
            if image.format == "TIFF" and samples.maximum < 65535:  # which Pillow stretches for Netpbm only
                return stretch(grey, samples.maximum, samples.dtype)
            if not isinstance(transparent, int):
                return grey
            return np.concatenate([grey, opaque_unless(grey, transparent)], axis=2)

        return grey_rows
    if image.mode == "L" and samples.maximum < 255 and isinstance(transparent, int):
        image.info["transparency"] = transparent * 255 // samples.maximum  # Pillow stretches the pixels only
    has_alpha = image.has_transparency_data and samples.channels in (2, 4)
    mode = ("L" if is_grey(image) else "RGB") + ("A" if has_alpha else "")

    def rows(top: int, bottom: int) -> Pixels:
        strip = crop(image, top, bottom)
        pixels = np.asarray(strip if strip.mode == mode else strip.convert(mode))
        return pixels.reshape(*pixels.shape[:2], -1)

    return rows
