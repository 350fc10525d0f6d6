"""From the bytes of a file to a `Picture`.

Pillow reads the header first, limits are checked, then Pillow decodes. It gives 8 bits for colour pictures of 16, so
those are decoded a second time by OpenCV, which never sees bytes that Pillow did not accept: it knows no limits and
does not notice a truncated file.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from scales_cli.errors import InputError, MemoryLimitError, ScalesError
from scales_cli.imaging.formats import FORMATS, JPEG, MAX_OUTPUT_PIXELS, READABLE, WEBP, ImageFormat, format_named
from scales_cli.imaging.metadata import (
    MAX_PROFILE_BYTES,
    profile_fits,
    read_dpi,
    read_exif,
    read_orientation,
    read_profile,
)
from scales_cli.imaging.picture import Picture, Pixels

MAX_SIDE = 2**20

logging.getLogger("PIL").addHandler(logging.NullHandler())  # or it speaks on standard error before it raises

_REFUSED_MODES = {"I": "32-bit integer", "F": "floating-point", "LAB": "CIE Lab", "HSV": "HSV"}


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded; the size is that before EXIF's orientation is applied."""

    format: ImageFormat
    width: int
    height: int
    is_grey: bool
    has_alpha: bool


def read_header(stream: BinaryIO, max_pixels: int = MAX_OUTPUT_PIXELS) -> Header:
    with _decoding(), _open(stream, max_pixels) as image:
        is_grey = _is_grey(image) or _rawmode(image) == "LA;16B"  # which Pillow makes colour of
        return Header(_format(image), *image.size, is_grey, image.has_transparency_data)


def decode_image(data: bytes, max_pixels: int = MAX_OUTPUT_PIXELS) -> Picture:
    """Every defect is an `InputError`; pictures of more than `max_pixels` are refused before decoding."""
    with _decoding(), _open(io.BytesIO(data), max_pixels) as image:
        image_format, notes = _format(image), []
        if image_format is not JPEG and getattr(image, "n_frames", 1) > 1:
            notes.append("only the first picture of the file is used")
        depth = _sample_bits(image)
        image.load()  # before EXIF is asked for, which may stand behind the pixels
        profile = read_profile(image)
        if image.mode == "CMYK":
            pixels, note = _convert_cmyk(image, profile)
            profile = None
            notes.append(note)
        else:
            pixels = (
                _decode_deep(data, image, depth) if depth == 16 and not _is_deep(image) else _to_pixels(image, depth)
            )
        pixels = np.ascontiguousarray(_upright(pixels, read_orientation(image)))
        if profile is not None and not profile_fits(profile, pixels.shape[2]):
            profile = None
            notes.append("the colour profile is damaged or of another kind of picture and was left out")
        lossless = image_format is not JPEG and (image_format is not WEBP or _is_lossless_webp(data))
        return Picture(pixels, image_format, lossless, profile, read_dpi(image), read_exif(image), tuple(notes))


@contextmanager
def _decoding() -> Iterator[None]:
    """Turns whatever a decoder raises into one line. Decoders raise nearly every class on damaged files."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ScalesError:
        raise
    except MemoryError as error:
        raise MemoryLimitError("not enough memory to decode the picture", "use a smaller picture") from error
    except Image.DecompressionBombError as error:
        raise InputError("the picture is too large", "cut or shrink it first") from error
    except UnidentifiedImageError as error:
        raise InputError("not a picture of a supported kind, or a damaged one", f"give {READABLE}") from error
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise InputError(
            f"damaged or unsupported picture: {reason}", "open it in an image editor and save it again"
        ) from error


def _open(stream: BinaryIO, max_pixels: int) -> Image.Image:
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_PROFILE_BYTES  # Pillow's limit for profiles, too; it refuses those over 1 MiB
    image = Image.open(stream, formats=[item.name for item in FORMATS])
    width, height = image.size
    if min(width, height) < 1:
        raise InputError(f"the picture has no pixels ({width} x {height})", f"give {READABLE}")
    if max(width, height) > MAX_SIDE:
        raise InputError(f"{width} x {height} pixels: a side has more than {MAX_SIDE}", "cut the picture first")
    if width * height > max_pixels:
        raise InputError(
            f"{width} x {height} pixels are more than the {max_pixels} allowed", "cut or shrink the picture first"
        )
    return image


def _format(image: Image.Image) -> ImageFormat:
    image_format = format_named(image.format)
    assert image_format is not None  # `_open` tries no other
    return image_format


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def _is_deep(image: Image.Image) -> bool:
    """Whether Pillow itself holds 16 bits: it does so for grey."""
    return image.mode.startswith("I")


def _sample_bits(image: Image.Image) -> int:
    """1, 2, 4, 8 or 16 bits of a sample in the file (fewer than 8 for PNG only); to be asked before loading."""
    if image.format == "TIFF":
        return 16 if max(getattr(image, "tag_v2", {}).get(258, (8,))) > 8 else 8
    rawmode = _rawmode(image)
    if image.format == "PPM":
        maximum = rawmode[-1] if isinstance(rawmode, tuple) else 255
        return 16 if image.mode == "I" or (isinstance(maximum, int) and maximum > 255) else 8
    if image.format == "PNG" and isinstance(rawmode, str) and ";" in rawmode:
        return int(rawmode.split(";")[1].rstrip("B"))
    return 8


def _rawmode(image: Image.Image) -> Any:
    """From which layout Pillow will decode, in its own words; to be asked before loading."""
    tiles = getattr(image, "tile", None)
    return tiles[0].args if tiles else ""


def _decode_deep(data: bytes, image: Image.Image, depth: int) -> Pixels:
    """16-bit colour by OpenCV, accepted only where it agrees with Pillow's 8 bits.

    The comparison catches byte orders, layouts and premultiplied alpha that the two read differently.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong, our own errors say
    refusal = InputError("this kind of 16-bit picture is not supported", "save it as a plain 16-bit PNG or TIFF")
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise refusal
    transparent = image.info.pop("transparency", None)
    expected = _to_pixels(image, depth)
    pixels: NDArray[np.uint16] = decoded.reshape(*decoded.shape[:2], -1).astype(np.uint16, copy=False)
    if pixels.shape[2] >= 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    if image.format == "PNG" and data[25] == 4:  # both make colour of grey with alpha
        pixels, expected = pixels[..., [0, 3]], expected[..., [0, 3]]
    if transparent is not None:
        alpha = np.where((pixels[..., :3] == transparent).all(axis=2, keepdims=True), 0, 65535).astype(np.uint16)
        pixels, expected = np.dstack([pixels[..., :3], alpha]), np.dstack([expected, (alpha >> 8).astype(np.uint8)])
    if image.format == "PPM":
        pixels = _stretch(pixels, _netpbm_maximum(data))
    if pixels.shape != expected.shape or np.abs((pixels >> 8).astype(np.int16) - expected).max() > 1:
        raise refusal
    return pixels


def _netpbm_maximum(data: bytes) -> int:
    """The fourth word of a Netpbm header, which may hold comments."""
    lines = (line.split(b"#")[0] for line in data[:4096].split(b"\n"))
    return int(b" ".join(lines).split()[3])


def _stretch(pixels: NDArray[np.uint16], maximum: int) -> NDArray[np.uint16]:
    """0..maximum to 0..65535, rounded."""
    return np.minimum((pixels.astype(np.uint32) * 65535 + maximum // 2) // maximum, 65535).astype(np.uint16)


def _to_pixels(image: Image.Image, depth: int) -> Pixels:
    """Decoded Pillow image of any mode but CMYK -> [H, W, C]."""
    if image.mode in _REFUSED_MODES and not (image.mode == "I" and image.format == "PPM"):
        raise InputError(
            f"{_REFUSED_MODES[image.mode]} pictures are not supported", "convert it to 8 or 16 bits a channel"
        )
    transparent = image.info.get("transparency")
    if _is_deep(image):
        grey = np.asarray(image).astype(np.uint16)[..., None]
        if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(262) == 0:
            return 65535 - grey  # white is zero; Pillow inverts 8 bits only
        if not isinstance(transparent, int):
            return grey
        return np.concatenate([grey, np.where(grey == transparent, 0, 65535).astype(np.uint16)], axis=2)
    if image.mode == "L" and depth < 8 and isinstance(transparent, int):
        image.info["transparency"] = transparent * 255 // (2**depth - 1)  # Pillow stretches the pixels only
    mode = ("L" if _is_grey(image) else "RGB") + ("A" if image.has_transparency_data else "")
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(*pixels.shape[:2], -1)


def _convert_cmyk(image: Image.Image, profile: bytes | None) -> tuple[Pixels, str]:
    """CMYK -> sRGB by the picture's own profile where it has a usable one."""
    from PIL import ImageCms

    if profile is not None and profile[16:20] == b"CMYK":
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return np.asarray(converted), "CMYK was converted to sRGB by the picture's colour profile"
    return np.asarray(
        image.convert("RGB")
    ), "CMYK without a usable colour profile was converted to RGB by rule of thumb"


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Applies an EXIF orientation."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _is_lossless_webp(data: bytes) -> bool:
    """Whether the first picture of a WebP file is coded without loss: its chunk is then called VP8L."""
    position = 12
    while position + 8 <= len(data):
        chunk, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if chunk in (b"VP8L", b"VP8 "):
            return chunk == b"VP8L"
        position += 8 + (16 if chunk == b"ANMF" else size + size % 2)  # a frame's chunks lie inside it
    return False
