"""Pillow's images as pixels, and back."""

from __future__ import annotations

import numpy as np
from PIL import Image

from scales_cli.errors import UsageError
from scales_cli.imaging.colors import profile_fits
from scales_cli.imaging.decoding import decoding_errors
from scales_cli.imaging.formats import ImageFormat, format_named
from scales_cli.imaging.picture import Details, Pixels, check_sides
from scales_cli.imaging.wear.tables import read_jpeg_quality

_UNKNOWN_RANGE = "convert it to 8 bits a channel"
_REFUSED = {
    "I": ("32-bit integers", _UNKNOWN_RANGE),
    "F": ("floating-point numbers", _UNKNOWN_RANGE),
    "LAB": ("CIE Lab", "convert it to RGB by its profile"),  # as files of it are
}


def to_pixels(image: Image.Image) -> Pixels:
    """[H, W, C] of 8 bits, or [H, W, 1] of 16. Palettes and other color spaces become RGB.

    Transparency is kept, but for the one level that may stand for it in 16 bits.
    """
    if 0 in image.size:
        raise UsageError(f"an image of {image.width} x {image.height} pixels is empty", "give one that holds pixels")
    if image.mode in _REFUSED:
        kind, hint = _REFUSED[image.mode]
        raise UsageError(f"an image of {kind} is not a picture that is enlarged", hint)
    check_sides(*image.size)
    with decoding_errors():
        image.load()  # one that was opened from a file is only read now
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    mode += "A" if image.has_transparency_data else ""
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(*pixels.shape[:2], -1)


def to_details(image: Image.Image) -> Details:
    """What an image still says of the file that it was opened from: of JPEG, how much was lost."""
    if format_named(image.format) is not ImageFormat.JPEG:
        return Details()
    return Details(format=ImageFormat.JPEG, lossless=False, coded_quality=read_jpeg_quality(image))


def to_image(pixels: Pixels, like: Image.Image) -> Image.Image:
    """An image of pixels [H, W, C], with what `like` says beside its own: profile, if it is of such pixels, EXIF."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.info = {key: value for key, value in like.info.items() if key != "transparency"}
    if not profile_fits(image.info.get("icc_profile") or b"", pixels.shape[2]):
        image.info.pop("icc_profile", None)
    return image
