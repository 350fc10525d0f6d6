"""JPEG 2000: planes of 1 to 16 bits each, which a bare codestream gives, made colors by what its boxes say.

Pillow and OpenCV both leave the boxes' meaning out in part, and each is right where the other is not. Pillow lets the
largest of more than 8 bits overflow to 0 and stretches no fewer; OpenCV knows 8 to 16 bits without sign, of grey, RGB
and RGBA. So decoders see the codestream only, and what they give is made the file's own numbers again.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, Jpeg2KImagePlugin

from scales_cli.errors import InputError
from scales_cli.imaging.containers.jpeg2000 import Jpeg2000, Space, read_jpeg2000
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers import cmyk
from scales_cli.imaging.readers.opencv import RGB_ORDER, decode_deep
from scales_cli.imaging.readers.samples import Rows, stretch, unpremultiplied
from scales_cli.imaging.rgb import ycc_to_rgb


def open_rows(stream: BinaryIO) -> tuple[Rows, str | None]:
    """The rows of a file, and a note if they were converted from CMYK, by its profile if that is usable."""
    file = read_jpeg2000(stream)
    planes = _decode(stream, file)
    dtype = np.dtype(np.uint16 if max(file.channel_depths) > 8 else np.uint8)

    def rows(top: int, bottom: int) -> Pixels:
        strip = [plane[top:bottom] for plane in planes]
        return _converted(_channels(strip, file, dtype), file)

    if file.space is not Space.CMYK:
        return rows, None
    inks = Image.fromarray(np.ascontiguousarray(rows(0, file.size[1])[..., :4]), "CMYK")
    return cmyk.open_rows(inks, file.profile)


def _channels(planes: list[NDArray[Any]], file: Jpeg2000, dtype: np.dtype[Any]) -> Pixels:
    """Channels of full range, as the boxes order them, from components."""
    numbers = planes
    if file.depth <= 8 or len(planes) == 1:
        numbers = [
            plane >> (8 * plane.itemsize - component.depth)  # by which Pillow multiplies
            for plane, component in zip(planes, file.components, strict=True)
        ]
    if file.palette is not None:
        colors = file.palette.colors[np.minimum(numbers[0], len(file.palette.colors) - 1)]
        numbers = list(np.moveaxis(colors, 2, 0))
    depths = zip(file.channels, file.channel_depths, strict=True)
    return np.stack([stretch(numbers[channel], 2**depth - 1, dtype) for channel, depth in depths], axis=2)


def _converted(pixels: Pixels, file: Jpeg2000) -> Pixels:
    """Grey or RGB, with alpha that the colors are not multiplied by; inks stay as they are."""
    if file.is_premultiplied:
        pixels = unpremultiplied(pixels)
    if file.space is Space.SYCC and not file.is_subsampled:  # else Pillow has converted it
        pixels[..., :3] = ycc_to_rgb(pixels[..., :3])
    elif file.space is Space.WHITE_IS_ZERO:
        pixels[..., 0] = np.iinfo(pixels.dtype).max - pixels[..., 0]
    return pixels


def _decode(stream: BinaryIO, file: Jpeg2000) -> list[NDArray[Any]]:
    """The codestream's planes [H, W], uint8 or uint16, from 0 up; Pillow's use the upper bits."""
    stream.seek(file.codestream.start)
    codestream = stream.read(file.codestream.end - file.codestream.start)
    if file.depth > 8 and len(file.components) > 1:
        decoded = decode_deep(codestream, file.size)
        if decoded is None or decoded.shape[2] != len(file.components):
            raise InputError("the picture is truncated or damaged", "get the file again")
        return [decoded[..., channel] for channel in RGB_ORDER[: len(file.components)]]
    image = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(codestream))  # not by `Image.open`, whose limits are not ours
    image.load()
    values = np.asarray(image).reshape(image.height, image.width, -1)
    return list(np.moveaxis(values, 2, 0))
