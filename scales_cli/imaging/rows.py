"""Rows of a decoded picture as its file holds them, whatever decodes it: the conversions to grey, RGB and alpha.

Pillow decodes all kinds. It gives 8 bits for colour of 16, which is therefore given to it as grey from TIFF files (see
`deep_tiff`), and decoded a second time by OpenCV from PNG files: OpenCV never sees bytes that Pillow did not accept, as
it knows no limits and does not notice a truncated file. The samples of Netpbm files that Pillow would take one by one
in Python are read as they are.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging import deep_tiff
from scales_cli.imaging.picture import Pixels

_STRIP_PIXELS = 2**18

Rows = Callable[[int, int], Pixels]  # the rows [top, bottom) as an array [n, W, C]

_REFUSED_MODES = {"I": "32-bit integer", "F": "floating-point", "LAB": "CIE Lab", "HSV": "HSV"}


def strips_of(height: int, width: int) -> Iterator[tuple[int, int]]:
    step = strip_pixels(width) // width
    for top in range(0, height, step):
        yield top, min(top + step, height)


def strip_pixels(width: int) -> int:
    return max(1, _STRIP_PIXELS // width) * width


class Decoder(Enum):
    PILLOW = "pillow"
    OPENCV = "opencv"
    DEEP_TIFF = "deep tiff"
    NONE = "none"  # samples that lie in the file as they are


@dataclass(frozen=True)
class Samples:
    """What is to be known of a file's samples before they are decoded.

    They reach from 0 to `maximum`: 1, 3, 15 (PNG only), 255, 4095 (TIFF only) or 65535, anything below for Netpbm.
    """

    maximum: int
    channels: int
    decoder: Decoder

    @property
    def loads(self) -> bool:
        """Whether Pillow's image is to be loaded, which turns that of a TIFF file."""
        return self.decoder in (Decoder.PILLOW, Decoder.OPENCV)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint16 if self.maximum > 255 else np.uint8)


def read_samples(image: Image.Image) -> Samples:
    """Of an image that is not loaded yet."""
    rawmode, codec = _tile(image)
    maximum = _maximum(image, rawmode)
    is_grey = _is_grey(image) or rawmode == "LA;16B"  # which Pillow makes colour of
    has_alpha = image.has_transparency_data and image.mode != "CMYK"
    if image.format == "PPM" and (codec == "ppm" or rawmode == "I;16B"):
        decoder = Decoder.NONE
    elif deep_tiff.is_deep(image):
        decoder = Decoder.DEEP_TIFF
    elif maximum > 255 and not _is_deep(image) and image.mode != "CMYK":
        decoder = Decoder.OPENCV
    else:
        decoder = Decoder.PILLOW
    return Samples(maximum, (1 if is_grey else 3) + has_alpha, decoder)


def open_rows(stream: BinaryIO, image: Image.Image, samples: Samples) -> Rows:
    """Of an image of any mode but CMYK; loaded if its samples say so. It holds no more of it than it needs."""
    if image.mode in _REFUSED_MODES and not (image.mode == "I" and image.format == "PPM"):
        raise InputError(
            f"{_REFUSED_MODES[image.mode]} pictures are not supported", "convert it to 8 or 16 bits a channel"
        )
    if samples.decoder is Decoder.NONE:
        return _stored_rows(stream, image, samples)
    if samples.decoder is Decoder.DEEP_TIFF:
        return deep_tiff.DeepTiff(stream, image).rows
    if samples.decoder is Decoder.OPENCV:
        return _deep_rows(stream, image, samples)
    return _pillow_rows(image, samples)


def _tile(image: Image.Image) -> tuple[Any, str]:
    """From which layout Pillow will decode, in its own words, and by what."""
    tiles = getattr(image, "tile", None)
    return (tiles[0].args, tiles[0].codec_name) if tiles else ("", "")


def _maximum(image: Image.Image, rawmode: Any) -> int:
    if image.mode == "CMYK":
        return 255  # in which Pillow holds it
    if image.format == "TIFF":
        bits = max(getattr(image, "tag_v2", {}).get(258, (8,)))
        return 4095 if bits == 12 else 65535 if bits > 8 else 255
    if image.format == "PPM":
        if isinstance(rawmode, tuple) and isinstance(rawmode[-1], int) and rawmode[-1] > 0:
            return int(rawmode[-1])
        return 65535 if rawmode == "I;16B" else 255
    if image.format == "PNG" and isinstance(rawmode, str) and ";" in rawmode:
        return (1 << int(rawmode.split(";")[1].rstrip("B"))) - 1
    return 65535 if image.mode == "I;16" else 255


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def _is_deep(image: Image.Image) -> bool:
    """Whether Pillow itself holds 16 bits: it does so for grey."""
    return image.mode.startswith("I")


def _pillow_rows(image: Image.Image, samples: Samples) -> Rows:
    """Of a decoded Pillow image of any mode but CMYK."""
    transparent = image.info.get("transparency")
    if _is_deep(image):
        white_is_zero = image.format == "TIFF" and getattr(image, "tag_v2", {}).get(262) == 0

        def grey_rows(top: int, bottom: int) -> Pixels:
            grey = np.asarray(_crop(image, top, bottom)).astype(np.uint16)[..., None]
            if white_is_zero:
                return 65535 - grey  # Pillow inverts 8 bits only
            if image.format == "TIFF" and samples.maximum < 65535:  # which Pillow stretches for Netpbm only
                return _stretch(grey, samples)
            if not isinstance(transparent, int):
                return grey
            return np.concatenate([grey, _opaque_unless(grey, transparent)], axis=2)

        return grey_rows
    if image.mode == "L" and samples.maximum < 255 and isinstance(transparent, int):
        image.info["transparency"] = transparent * 255 // samples.maximum  # Pillow stretches the pixels only
    mode = ("L" if _is_grey(image) else "RGB") + ("A" if image.has_transparency_data else "")

    def rows(top: int, bottom: int) -> Pixels:
        strip = _crop(image, top, bottom)
        pixels = np.asarray(strip if strip.mode == mode else strip.convert(mode))
        return pixels.reshape(*pixels.shape[:2], -1)

    return rows


def cmyk_rows(image: Image.Image, profile: bytes | None) -> tuple[Rows, str]:
    """CMYK -> sRGB by the picture's own profile where it has a usable one."""
    from PIL import ImageCms

    if profile is not None and profile[16:20] == b"CMYK":
        try:
            transform = ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), "CMYK", "RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
        else:

            def converted(top: int, bottom: int) -> Pixels:
                return np.asarray(ImageCms.applyTransform(_crop(image, top, bottom), transform))

            return converted, "CMYK was converted to sRGB by the picture's colour profile"

    def estimated(top: int, bottom: int) -> Pixels:
        return np.asarray(_crop(image, top, bottom).convert("RGB"))

    return estimated, "CMYK without a usable colour profile was converted to RGB by rule of thumb"


def _crop(image: Image.Image, top: int, bottom: int) -> Image.Image:
    return image.crop((0, top, image.width, bottom))


def _deep_rows(stream: BinaryIO, image: Image.Image, samples: Samples) -> Rows:
    """16-bit colour by OpenCV, accepted only where it agrees with Pillow's 8 bits."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong, our own errors say
    refusal = InputError("this kind of 16-bit picture is not supported", "save it as a plain 16-bit PNG")
    data = np.frombuffer(_still_file(stream, image), np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.shape[:2] != image.size[::-1]:
        raise refusal
    decoded = decoded.reshape(*decoded.shape[:2], -1)
    transparent = image.info.pop("transparency", None)
    grey_alpha = image.format == "PNG" and data[25] == 4  # both make colour of it

    def rows(top: int, bottom: int) -> Pixels:
        pixels: NDArray[np.uint16] = decoded[top:bottom]
        if grey_alpha:
            return pixels[..., [0, 3]]
        if pixels.shape[2] >= 3:
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
        if transparent is not None:
            pixels = np.dstack([pixels[..., :3], _opaque_unless(pixels[..., :3], transparent)])
        return pixels

    expected_rows = _pillow_rows(image, samples)
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
    """All of a file, but of an animated PNG only the still picture: OpenCV decodes the animation in its place."""
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


def _opaque_unless(pixels: NDArray[np.uint16], transparent: Any) -> NDArray[np.uint16]:
    """An alpha channel [H, W, 1] that is zero where pixels have the colour `transparent`."""
    return np.where((pixels == transparent).all(axis=2, keepdims=True), 0, 65535).astype(np.uint16)


def _stored_rows(stream: BinaryIO, image: Image.Image, samples: Samples) -> Rows:
    """Read on demand, not mapped: a mapped file that shrinks meanwhile ends the process."""
    width, height = image.size
    offset = image.tile[0].offset  # type: ignore[attr-defined]
    dtype = samples.dtype.newbyteorder(">")
    row_bytes = width * samples.channels * dtype.itemsize

    def rows(top: int, bottom: int) -> Pixels:
        stream.seek(offset + top * row_bytes)
        data = stream.read((bottom - top) * row_bytes)
        if len(data) != (bottom - top) * row_bytes:
            raise InputError("the picture is truncated", "get the file again")
        return _stretch(np.frombuffer(data, dtype).reshape(bottom - top, width, samples.channels), samples)

    if stream.seek(0, os.SEEK_END) < offset + height * row_bytes:
        raise InputError("the picture is truncated", "get the file again")
    return rows


def _stretch(values: NDArray[Any], samples: Samples) -> Pixels:
    """To the full range of 8 or 16 bits, rounded."""
    full = np.iinfo(samples.dtype).max
    if samples.maximum == full:
        return values.astype(samples.dtype)
    stretched = values.astype(np.uint32)
    stretched *= full
    stretched += samples.maximum // 2
    stretched //= samples.maximum
    return np.minimum(stretched, full, out=stretched).astype(samples.dtype)
