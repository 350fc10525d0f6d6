"""16-bit colour from PNG files: decoded a second time, by OpenCV, as Pillow gives 8 bits.

OpenCV never sees bytes that Pillow did not accept, as it knows no limits and does not notice a truncated file.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO

import numpy as np
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers import pillow
from scales_cli.imaging.readers.opencv import RGB_ORDER, decode_deep
from scales_cli.imaging.readers.samples import Rows, Samples, opaque_unless, strips_of


def open_rows(stream: BinaryIO, image: Image.Image, samples: Samples) -> Rows:
    """The rows of a loaded image, accepted only if they agree with Pillow's 8 bits."""
    refusal = InputError("this kind of 16-bit picture is not supported", "save it as a plain 16-bit PNG")
    data = _still_file(stream, image)
    decoded = decode_deep(data, image.size)
    if decoded is None:
        raise refusal
    transparent = image.info.pop("transparency", None)
    grey_alpha = image.format == "PNG" and data[25] == 4  # both make colour of it

    def rows(top: int, bottom: int) -> Pixels:
        pixels = decoded[top:bottom]
        if grey_alpha:
            return pixels[..., [0, 3]]
        if pixels.shape[2] >= 3:
            pixels = pixels[..., RGB_ORDER[: pixels.shape[2]]]
        if transparent is not None:
            pixels = np.dstack([pixels[..., :3], opaque_unless(pixels[..., :3], transparent)])
        return pixels

    expected_rows = pillow.open_rows(image, samples)[0]
    for top, bottom in strips_of(*decoded.shape[:2]):
        pixels, expected = rows(top, bottom), expected_rows(top, bottom)
        if grey_alpha:
            expected = expected[..., [0, 3]]
        if transparent is not None:
            expected = np.dstack([expected, pixels[..., 3:] >> 8])
        if pixels.shape != expected.shape or np.abs((pixels >> 8).astype(np.int16) - expected).max() > 1:
            raise refusal
    return rows


def _still_file(stream: BinaryIO, image: Image.Image) -> bytes | memoryview:
    """A file's bytes; of an animated PNG only the still picture, as OpenCV would decode the animation."""
    stream.seek(0)
    if image.format != "PNG" or not getattr(image, "is_animated", False):
        return stream.read()
    kept = io.BytesIO()
    kept.write(stream.read(8))
    while len(start := stream.read(8)) == 8:
        size, name = int.from_bytes(start[:4], "big"), start[4:]
        if name in (b"acTL", b"fcTL", b"fdAT"):
            stream.seek(size + 4, os.SEEK_CUR)
        else:
            kept.write(start + stream.read(size + 4))
    return kept.getbuffer()
