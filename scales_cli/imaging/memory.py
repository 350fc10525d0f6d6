"""What decoding takes."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image

from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout


def decoding_bytes(stream: BinaryIO, image: Image.Image, layout: Layout, orientation: int, *, by_opencv: bool) -> int:
    return 0


def encoding_bytes(layout: Layout, image_format: ImageFormat, slices: int = 1) -> int:
    return 0
