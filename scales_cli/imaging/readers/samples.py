"""A file's samples: how many, how deep, and which of the readers beside this gives them as rows.

Pillow decodes all kinds. It gives 8 bits for colour of 16, which is therefore given to it as grey from TIFF files (see
`tiff16`), and decoded a second time by OpenCV from PNG and AVIF files (see `png16`, `avif16`); so is JPEG 2000 (see
`jpeg2000`). HEIF and JPEG XL have libraries of their own (see `heif`, `jxl`). The samples of Netpbm files that Pillow
would take one by one in Python are read as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base as Tag

from scales_cli.errors import InputError
from scales_cli.imaging.containers.avif import read_avif
from scales_cli.imaging.containers.jpeg2000 import Space, read_jpeg2000
from scales_cli.imaging.containers.jxl import read_jxl
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.refusals import check_tiff

_STRIP_PIXELS = 2**18
_FEW_PIXELS = 2**14  # of which numbers in 32 bits take little memory

Rows = Callable[[int, int], Pixels]  # the rows [top, bottom) as an array [n, W, C]

_PACK_BITS = 32773
_REFUSED_MODES = {"I": "32-bit integer", "F": "floating-point", "LAB": "CIE Lab", "HSV": "HSV"}


class Decoder(Enum):
    """The readers by their modules' names."""

    PILLOW = "pillow"
    PNG16 = "png16"
    AVIF16 = "avif16"
    TIFF16 = "tiff16"
    JPEG2000 = "jpeg2000"
    HEIF16 = "heif"
    JXL = "jxl"
    CMYK = "cmyk"
    NETPBM = "netpbm"


@dataclass(frozen=True)
class Samples:
    """What is to be known of a file's samples before they are decoded.

    They reach from 0 to `maximum`: 1, 3, 15 (PNG only), 255, 4095 (TIFF only) or 65535, anything below for Netpbm.
    """

    maximum: int
    channels: int
    decoder: Decoder
    is_cmyk: bool = False  # which becomes RGB

    @property
    def loads(self) -> bool:
        """Whether Pillow's image is to be loaded, which turns a TIFF file's."""
        return self.decoder in (Decoder.PILLOW, Decoder.CMYK, Decoder.PNG16, Decoder.AVIF16, Decoder.JXL)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint16 if self.maximum > 255 else np.uint8)


def read_samples(stream: BinaryIO, image: Image.Image) -> Samples:
    """The samples of a file and its image, which is not loaded yet. Raises `InputError` if they are not read."""
    _check_mode(image)
    if image.format == "JPEG2000":
        file = read_jpeg2000(stream)
        if file.size != image.size:
            raise InputError("the picture is truncated or damaged", "get the file again")
        maximum, is_cmyk = 65535 if max(file.channel_depths) > 8 else 255, file.space is Space.CMYK
        return Samples(maximum, 3 if is_cmyk else len(file.channels), Decoder.JPEG2000, is_cmyk)
    rawmode, codec = _tile(image)
    maximum = _maximum(image, rawmode)
    grey = is_grey(image) or rawmode == "LA;16B"  # which Pillow makes colour of
    has_alpha = image.has_transparency_data and image.mode != "CMYK" and not _is_alpha_undefined(stream, image)
    if image.format == "JXL":
        is_deep = is_grey(image) and read_jxl(stream).depth > 8
        return Samples(65535 if is_deep else 255, len(image.getbands()), Decoder.JXL)
    if image.format == "HEIF" and image.info["bit_depth"] > 8:
        return Samples(65535, len(image.getbands()), Decoder.HEIF16)
    if image.format == "AVIF" and read_avif(stream).depth > 8:
        return Samples(65535, len(image.getbands()), Decoder.AVIF16)
    if image.format == "PPM" and (codec == "ppm" or rawmode == "I;16B"):
        decoder = Decoder.NETPBM
    elif _is_tiff16(image):
        decoder = Decoder.TIFF16
    elif image.mode == "CMYK":
        decoder = Decoder.CMYK
    elif maximum > 255 and not holds_16_bits(image):
        decoder = Decoder.PNG16
    else:
        decoder = Decoder.PILLOW
    return Samples(maximum, (1 if grey else 3) + has_alpha, decoder, image.mode == "CMYK")


def _check_mode(image: Image.Image) -> None:
    """Raises `InputError` if an image's samples are of a kind that no picture here has."""
    if image.format == "TIFF":
        _check_tiff(tags_of(image), image.mode)
    if image.mode in _REFUSED_MODES and not (image.mode == "I" and image.format == "PPM"):
        raise InputError(
            f"{_REFUSED_MODES[image.mode]} pictures are not supported", "convert it to 8 or 16 bits a channel"
        )


def _check_tiff(tags: Any, mode: str) -> None:
    """Refuses what Pillow decodes to other values."""
    check_tiff(tags.get(Tag.SampleFormat, ()), tags.get(Tag.Compression, 1))
    if tags.get(Tag.Compression) == _PACK_BITS and tags.get(Tag.Predictor, 1) != 1:  # which others undo
        raise InputError("TIFF with PackBits and differences is not supported", "save it with LZW")
    if tags.get(Tag.PlanarConfiguration, 1) != 2 or set(tags.get(Tag.BitsPerSample, ())) != {8}:
        return
    if mode in ("LA", "La"):
        raise InputError("grey with alpha in separate planes of 8 bits is not supported", "save it as a plain TIFF")
    by_libtiff = tags.get(Tag.Compression, 1) != 1 or Tag.TileWidth in tags  # which divides colours by a fourth sample
    if mode == "RGBA" and Tag.ExtraSamples not in tags and by_libtiff:
        what = "RGB with a fourth sample of no stated meaning in separate planes of 8 bits"
        raise InputError(f"{what} is not supported", "save it as a plain TIFF")


def left_out_channels(image: Image.Image) -> str | None:
    """A note if a TIFF has more samples than colours and alpha."""
    count = tags_of(image).get(Tag.SamplesPerPixel, 1) if image.format == "TIFF" else 0
    further = count - len(image.getbands())
    if image.mode == "P" or further <= 0:
        return None
    return f"{further} of its {count} channels, neither colours nor alpha, were left out"


def strips_of(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows that are taken over at a time."""
    step = strip_pixels(width) // width
    for top in range(0, height, step):
        yield top, min(top + step, height)


def strip_pixels(width: int) -> int:
    return max(1, _STRIP_PIXELS // width) * width


def crop(image: Image.Image, top: int, bottom: int) -> Image.Image:
    """The rows [top, bottom)."""
    return image.crop((0, top, image.width, bottom))


def stretch(values: NDArray[Any], maximum: int, dtype: np.dtype[Any]) -> Pixels:
    """Values of 0 to `maximum` stretched to the full range of 8 or 16 bits, rounded."""
    full = np.iinfo(dtype).max
    if maximum == full:
        return values.astype(dtype)
    stretched = values.astype(np.uint32)
    stretched *= full
    stretched += maximum // 2
    stretched //= maximum
    return np.minimum(stretched, full, out=stretched).astype(dtype)


def opaque_unless(pixels: NDArray[np.uint16], transparent: Any) -> NDArray[np.uint16]:
    """An alpha channel [H, W, 1] that is zero where pixels have the colour `transparent`."""
    return np.where((pixels == transparent).all(axis=2, keepdims=True), 0, 65535).astype(np.uint16)


def unpremultiplied(pixels: Pixels) -> Pixels:
    """Colours that were multiplied by their alpha, divided by it; those that no alpha shows are zero."""
    result, full = np.array(pixels), np.iinfo(pixels.dtype).max
    flat = result.reshape(-1, result.shape[2])
    for start in range(0, len(flat), _FEW_PIXELS):
        color, alpha = np.split(flat[start : start + _FEW_PIXELS].astype(np.uint32), [-1], axis=1)
        np.minimum(color, alpha, out=color)  # more than that has no meaning
        flat[start : start + _FEW_PIXELS, :-1] = (color * full + alpha // 2) // np.maximum(alpha, 1)
    return result


def tags_of(image: Image.Image) -> Any:
    """The tags of a TIFF file by their numbers; none of another file."""
    return getattr(image, "tag_v2", {})


def is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def holds_16_bits(image: Image.Image) -> bool:
    """Whether Pillow itself holds 16 bits: it does so for grey."""
    return image.mode.startswith("I")


def _is_tiff16(image: Image.Image) -> bool:
    """Whether an image is one of 16-bit colour, or grey with alpha, from a TIFF file."""
    tags = tags_of(image)
    is_deep = image.format == "TIFF" and set(tags.get(Tag.BitsPerSample, ())) == {16}
    if not is_deep or tags.get(Tag.SampleFormat, (1,))[0] != 1:
        return False
    return image.mode in ("RGB", "RGBA", "L", "LA") or (tags.get(Tag.SamplesPerPixel, 1) > 1 and image.mode != "CMYK")


def _is_alpha_undefined(stream: BinaryIO, image: Image.Image) -> bool:
    """Whether alpha is a bit of 16 that a TGA does not call so, but Pillow does."""
    if image.format != "TGA":
        return False
    stream.seek(7)
    header = stream.read(11)
    return 16 in (header[0], header[9]) and not header[10] & 0xF


def _tile(image: Image.Image) -> tuple[Any, str]:
    """The layout that Pillow will decode, in its own words, and the codec."""
    tiles = getattr(image, "tile", None)
    return (tiles[0].args, tiles[0].codec_name) if tiles else ("", "")


def _maximum(image: Image.Image, rawmode: Any) -> int:
    if image.mode == "CMYK":
        return 255  # in which Pillow holds it
    if image.format == "TIFF":
        bits = max(tags_of(image).get(Tag.BitsPerSample, (8,)))
        return 4095 if bits == 12 else 65535 if bits > 8 else 255
    if image.format == "PPM":
        if isinstance(rawmode, tuple) and isinstance(rawmode[-1], int) and rawmode[-1] > 0:
            return int(rawmode[-1])
        return 65535 if rawmode == "I;16B" else 255
    if image.format == "PNG" and isinstance(rawmode, str) and ";" in rawmode:
        return (1 << int(rawmode.split(";")[1].rstrip("B"))) - 1
    return 65535 if image.mode == "I;16" else 255
