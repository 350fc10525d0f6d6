"""Where the pixels of a stored picture go: cut to what is to be seen of them, then turned upright."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

from scales_cli.imaging.containers.avif import read_avif
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import Rows, strips_of


def read_crop(stream: BinaryIO, image: Image.Image) -> tuple[int, int, int, int] | None:
    """What of a stored picture is to be seen, (left, top, right, bottom), if that is not all: AVIF may say so."""
    is_still = image.format == "AVIF" and getattr(image, "n_frames", 1) == 1
    return read_avif(stream).crop if is_still else None


def cropped(rows: Rows, crop: tuple[int, int, int, int]) -> Rows:
    """The rows of what is to be seen."""
    left, top, right, _ = crop
    return lambda first, last: rows(top + first, top + last)[:, left:right]


def take_over(rows: Rows, height: int, orientation: int) -> Pixels:
    """The upright picture [H, W, C]."""
    first = rows(0, 1)
    width, channels = first.shape[1:]
    shape = (width, height) if orientation >= 5 else (height, width)
    pixels = np.empty((*shape, channels), first.dtype)
    stored = as_stored(pixels, orientation)
    for top, bottom in strips_of(height, width):
        stored[top:bottom] = rows(top, bottom)
    return pixels


def as_stored(pixels: Pixels, orientation: int) -> Pixels:
    """The view of an upright picture in which its pixels lie as in a file of this EXIF orientation."""
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if orientation >= 5 else pixels
