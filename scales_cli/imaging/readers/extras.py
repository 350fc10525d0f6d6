"""The formats that are read by libraries of extras, which are imported for their files only."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.readers import heif, jxl
from scales_cli.system.extras import install_hint


def open_by_extra(stream: BinaryIO) -> Image.Image | None:
    """A file's image, not loaded yet, if its format is one of an extra.

    The stream is at its beginning afterwards if it is not. Raises `InputError` if the library is not installed.
    Pillow's own list of formats is left as it is.
    """
    stream.seek(0)
    start = stream.read(64)
    stream.seek(0)
    if heif.is_heif(start):
        _check(ImageFormat.HEIF, "HEIF (HEIC)", "heif-convert")
        return heif.open_image(stream)
    if jxl.is_jxl(start):
        _check(ImageFormat.JXL, "JPEG XL", "djxl")
        return jxl.JxlFile(stream)
    return None


def _check(image_format: ImageFormat, name: str, converter: str) -> None:
    if not image_format.is_read:
        raise InputError(
            f"{name} is read by a library that is not installed",
            f"{install_hint(image_format.extra)}, or convert it to PNG first, for example with `{converter}`",
        )
