"""From a file to a `Picture`.

Pillow reads the header first, limits are checked, then Pillow decodes. It gives 8 bits for colour pictures of 16, so
those are decoded a second time by OpenCV, which never sees bytes that Pillow did not accept: it knows no limits and
does not notice a truncated file. What was decoded is taken over in strips of rows, straight to where EXIF's
orientation puts them: neither a conversion nor a turn holds the picture twice.
"""

from __future__ import annotations

import io
import logging
import mmap
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from scales_cli.errors import InputError, MemoryLimitError, ScalesError
from scales_cli.imaging.formats import FORMATS, JPEG, MAX_OUTPUT_PIXELS, READABLE, WEBP, ImageFormat, format_named
from scales_cli.imaging.memory import decoding_bytes
from scales_cli.imaging.metadata import (
    MAX_PROFILE_BYTES,
    profile_fits,
    read_dpi,
    read_exif,
    read_orientation,
    read_profile,
)
from scales_cli.imaging.picture import Layout, Picture, Pixels

MAX_SIDE = 2**20
_STRIP_PIXELS = 2**18

Rows = Callable[[int, int], Pixels]  # the rows [top, bottom) of a picture as its file holds them

logging.getLogger("PIL").addHandler(logging.NullHandler())  # or it speaks on standard error before it raises

_REFUSED_MODES = {"I": "32-bit integer", "F": "floating-point", "LAB": "CIE Lab", "HSV": "HSV"}


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded.

    `layout` is that of the decoded, upright picture, without its metadata; `decoding_bytes` is the anonymous memory
    that decoding takes at its peak, the pixels included, but not the bytes of a file that is in memory already.
    """

    layout: Layout
    orientation: int
    decoding_bytes: int

    @property
    def format(self) -> ImageFormat:
        return self.layout.format

    @property
    def width(self) -> int:
        return self.layout.width

    @property
    def height(self) -> int:
        return self.layout.height

    @property
    def is_grey(self) -> bool:
        return self.layout.channels <= 2

    @property
    def has_alpha(self) -> bool:
        return self.layout.has_alpha


def read_header(stream: BinaryIO, max_pixels: int = MAX_OUTPUT_PIXELS) -> Header:
    with _decoding():
        image = _open(stream, max_pixels)
        depth = _sample_bits(image)
        channels, dtype = _channels(image), np.dtype(np.uint16 if depth == 16 else np.uint8)
        image_format = _format(image)
        orientation = read_orientation(_with_late_chunks(stream, image) if image.format == "PNG" else image)
        width, height = image.size
        if orientation >= 5 and image.format != "TIFF":  # which Pillow turns itself
            width, height = height, width
        lossless = _is_lossless(stream, image_format)
        layout = Layout(width, height, channels, dtype, format=image_format, lossless=lossless)
        needed = decoding_bytes(stream, image, layout, orientation, by_opencv=_needs_opencv(image, depth))
        return Header(layout, orientation, needed)


def decode_image(stream: BinaryIO, max_pixels: int = MAX_OUTPUT_PIXELS) -> Picture:
    """From an open file or an `io.BytesIO`.

    Every defect is an `InputError`; pictures of more than `max_pixels` are refused before decoding.
    """
    with _decoding():
        image = _open(stream, max_pixels)
        image_format, notes = _format(image), []
        if image_format is not JPEG and getattr(image, "n_frames", 1) > 1:
            notes.append("only the first picture of the file is used")
        depth = _sample_bits(image)
        lossless = _is_lossless(stream, image_format)
        image.load()  # before EXIF is asked for, which may stand behind the pixels
        profile, dpi, exif, orientation = (
            read_profile(image),
            read_dpi(image),
            read_exif(image),
            read_orientation(image),
        )
        height = image.height
        if image.mode == "CMYK":
            rows, note = _cmyk_rows(image, profile)
            profile = None
            notes.append(note)
        elif _needs_opencv(image, depth):
            rows = _deep_rows(stream, image, depth)
        else:
            rows = _rows(image, depth)
        del image  # `rows` holds what of it is needed
        pixels = _take_over(rows, height, orientation)
        if profile is not None and not profile_fits(profile, pixels.shape[2]):
            profile = None
            notes.append("the colour profile is damaged or of another kind of picture and was left out")
        return Picture(
            pixels, format=image_format, lossless=lossless, icc_profile=profile, dpi=dpi, exif=exif, notes=tuple(notes)
        )


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
        if isinstance(error, OSError) and error.errno is not None:  # decoders give none
            raise InputError(f"cannot be read: {error.strerror}", "check the file") from error
        reason = str(error).strip() or type(error).__name__
        raise InputError(
            f"damaged or unsupported picture: {reason}", "open it in an image editor and save it again"
        ) from error


def _open(stream: BinaryIO, max_pixels: int) -> Image.Image:
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_PROFILE_BYTES  # Pillow's limit for profiles, too; it refuses those over 1 MiB
    bomb_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # our own is checked here
    try:
        image = Image.open(stream, formats=[item.name for item in FORMATS])
    finally:
        Image.MAX_IMAGE_PIXELS = bomb_limit
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


def _channels(image: Image.Image) -> int:
    """Of the decoded picture; to be asked before loading."""
    is_grey = _is_grey(image) or _rawmode(image) == "LA;16B"  # which Pillow makes colour of
    has_alpha = image.has_transparency_data and image.mode != "CMYK"
    return (1 if is_grey else 3) + has_alpha


def _needs_opencv(image: Image.Image, depth: int) -> bool:
    return depth == 16 and not _is_deep(image) and image.mode != "CMYK"


def _with_late_chunks(stream: BinaryIO, image: Image.Image) -> Image.Image:
    """A PNG of this one's texts and EXIF, which may stand behind the pixels, without the pixels."""
    stream.seek(0)
    kept = [stream.read(33)]  # signature and IHDR
    while len(start := stream.read(8)) == 8:
        size, name = int.from_bytes(start[:4], "big"), start[4:]
        if name in (b"eXIf", b"iTXt", b"tEXt", b"zTXt") and size <= MAX_PROFILE_BYTES:
            kept.append(start + stream.read(size + 4))
        else:
            stream.seek(size + 4, os.SEEK_CUR)
    try:
        return Image.open(io.BytesIO(b"".join(kept) + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"), formats=["PNG"])
    except Exception:  # of a text that the decoder would meet only behind the pixels
        return image


def _take_over(rows: Rows, height: int, orientation: int) -> Pixels:
    """The upright picture [H, W, C]."""
    first = rows(0, 1)
    width, channels = first.shape[1:]
    shape = (width, height) if orientation >= 5 else (height, width)
    pixels = np.empty((*shape, channels), first.dtype)
    stored = _as_stored(pixels, orientation)
    for top, bottom in _strips(height, width):
        stored[top:bottom] = rows(top, bottom)
    return pixels


def _strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        yield top, min(top + step, height)


def _as_stored(pixels: Pixels, orientation: int) -> Pixels:
    """The view of an upright picture in which its pixels lie as in a file of this EXIF orientation."""
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if orientation >= 5 else pixels


def _deep_rows(stream: BinaryIO, image: Image.Image, depth: int) -> Rows:
    """16-bit colour by OpenCV, accepted only where it agrees with Pillow's 8 bits.

    The comparison catches byte orders, layouts and premultiplied alpha that the two read differently.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong, our own errors say
    refusal = InputError("this kind of 16-bit picture is not supported", "save it as a plain 16-bit PNG or TIFF")
    data = np.frombuffer(_whole(stream), np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.shape[:2] != image.size[::-1]:
        raise refusal
    decoded = decoded.reshape(*decoded.shape[:2], -1)
    transparent = image.info.pop("transparency", None)
    grey_alpha = image.format == "PNG" and data[25] == 4  # both make colour of it
    maximum = _netpbm_maximum(data[:4096].tobytes()) if image.format == "PPM" else 65535

    def rows(top: int, bottom: int) -> Pixels:
        pixels: NDArray[np.uint16] = decoded[top:bottom]
        if grey_alpha:
            return pixels[..., [0, 3]]
        if pixels.shape[2] >= 3:
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
        if transparent is not None:
            pixels = np.dstack([pixels[..., :3], _opaque_unless(pixels[..., :3], transparent)])
        return pixels if maximum == 65535 else _stretch(pixels, maximum)

    expected_rows = _rows(image, depth)
    for top, bottom in _strips(*decoded.shape[:2]):
        pixels, expected = rows(top, bottom), expected_rows(top, bottom)
        if grey_alpha:
            expected = expected[..., [0, 3]]
        if transparent is not None:
            expected = np.dstack([expected, pixels[..., 3:] >> 8])
        if pixels.shape != expected.shape or np.abs((pixels >> 8).astype(np.int16) - expected).max() > 1:
            raise refusal
    return rows


def _whole(stream: BinaryIO) -> memoryview:
    """All bytes of a file; those of an open one are mapped and take no memory of our own."""
    if isinstance(stream, io.BytesIO):
        return stream.getbuffer()
    return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _opaque_unless(pixels: NDArray[np.uint16], transparent: Any) -> NDArray[np.uint16]:
    """An alpha channel [H, W, 1] that is zero where pixels have the colour `transparent`."""
    return np.where((pixels == transparent).all(axis=2, keepdims=True), 0, 65535).astype(np.uint16)


def _netpbm_maximum(data: bytes) -> int:
    """The fourth word of a Netpbm header, which may hold comments."""
    lines = (line.split(b"#")[0] for line in data[:4096].split(b"\n"))
    return int(b" ".join(lines).split()[3])


def _stretch(pixels: NDArray[np.uint16], maximum: int) -> NDArray[np.uint16]:
    """0..maximum to 0..65535, rounded."""
    return np.minimum((pixels.astype(np.uint32) * 65535 + maximum // 2) // maximum, 65535).astype(np.uint16)


def _rows(image: Image.Image, depth: int) -> Rows:
    """Of a decoded Pillow image of any mode but CMYK."""
    if image.mode in _REFUSED_MODES and not (image.mode == "I" and image.format == "PPM"):
        raise InputError(
            f"{_REFUSED_MODES[image.mode]} pictures are not supported", "convert it to 8 or 16 bits a channel"
        )
    transparent = image.info.get("transparency")
    if _is_deep(image):
        white_is_zero = image.format == "TIFF" and getattr(image, "tag_v2", {}).get(262) == 0

        def grey_rows(top: int, bottom: int) -> Pixels:
            grey = np.asarray(_crop(image, top, bottom)).astype(np.uint16)[..., None]
            if white_is_zero:
                return 65535 - grey  # Pillow inverts 8 bits only
            if not isinstance(transparent, int):
                return grey
            return np.concatenate([grey, _opaque_unless(grey, transparent)], axis=2)

        return grey_rows
    if image.mode == "L" and depth < 8 and isinstance(transparent, int):
        image.info["transparency"] = transparent * 255 // (2**depth - 1)  # Pillow stretches the pixels only
    mode = ("L" if _is_grey(image) else "RGB") + ("A" if image.has_transparency_data else "")

    def rows(top: int, bottom: int) -> Pixels:
        strip = _crop(image, top, bottom)
        pixels = np.asarray(strip if strip.mode == mode else strip.convert(mode))
        return pixels.reshape(*pixels.shape[:2], -1)

    return rows


def _cmyk_rows(image: Image.Image, profile: bytes | None) -> tuple[Rows, str]:
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


def _is_lossless(stream: BinaryIO, image_format: ImageFormat) -> bool:
    """Whether a picture was coded without loss; for WebP the first frame's chunk says so, which is then called VP8L."""
    if image_format is not WEBP:
        return image_format is not JPEG
    position = 12
    while True:
        stream.seek(position)
        start = stream.read(8)
        chunk, size = start[:4], int.from_bytes(start[4:], "little")
        if len(start) < 8 or chunk in (b"VP8L", b"VP8 "):
            return chunk == b"VP8L"
        position += 8 + (16 if chunk == b"ANMF" else size + size % 2)  # a frame's chunks lie inside it
