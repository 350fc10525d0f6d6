"""What a file says of its colors, in whatever way its format has for that: as a profile, and as chunks of PNG.

The result's numbers mean what the input's do. So a statement is carried on; one that only few formats have, as a
profile that means the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

from scales_cli.imaging import cicp
from scales_cli.imaging.containers.avif import read_avif
from scales_cli.imaging.containers.bmp import read_bmp_colors
from scales_cli.imaging.containers.gif import joined, read_application
from scales_cli.imaging.containers.jpeg2000 import Space, read_jpeg2000
from scales_cli.imaging.containers.png import read_chunk, read_chunks
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout
from scales_cli.imaging.profiles import D50, D65, ColorSpace, Point, make_profile, romm_curve, srgb_curve
from scales_cli.imaging.surveys.survey import MAX_PROFILE_BYTES

Chunks = tuple[tuple[bytes, bytes], ...]  # of PNG, name and content

_GIF_PROFILE = b"ICCRGBG1012"
_CHUNKS = (b"cICP", b"mDCV", b"cLLI")  # of PNG: code points, and for HDR of which screen and light

SRGB = ColorSpace("sRGB", (0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65, srgb_curve)
ADOBE_RGB = ColorSpace("compatible with Adobe RGB (1998)", (0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65, 563 / 256)
WIDE_GAMUT_RGB = ColorSpace("Wide Gamut RGB", (0.7347, 0.2653), (0.1152, 0.8264), (0.1566, 0.0177), D50, 563 / 256)
ROMM_RGB = ColorSpace("ROMM RGB", (0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50, romm_curve)

_WITH_PROFILE = (ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.TIFF)
_PROFILE_SPACES = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}
_DAMAGED = "the colour profile is damaged or of another kind of picture and was left out"
_UNKNOWN = "its colours are said to be others than those of sRGB, but not which: they are taken for those of sRGB"
_IMPOSSIBLE = "its gamma or primary colours mean nothing and were left out"
_LINKED = "the colour profile is not in the file but named by it, and was left out"
_TRANSFER_FUNCTION = "its transfer function was left out"

_GAMMA, _INTEROPERABILITY_INDEX = 0xA500, 1
_EXIF_SRGB, _EXIF_ADOBE_RGB, _EXIF_UNCALIBRATED = 1, 2, 65535  # of ColorSpace; the second is some cameras' own
_HARDLY, _USUAL_GAMMA = 0.01, 0.45455
_EXIF_WIDE_GAMUT, _EXIF_PROFILE = 65533, 65534  # Sony's


@dataclass(frozen=True)
class Colors:
    """A profile to write, chunks of PNG that say more than a profile can, and a note on what is not kept."""

    profile: bytes | None = None
    chunks: Chunks = ()
    note: str | None = None


def read_profile(stream: BinaryIO, image: Image.Image) -> bytes | None:
    """The profile that a file has, whether it fits or not."""
    if image.format == "JPEG2000":
        profile = read_jpeg2000(stream).profile
    elif image.format in ("BMP", "DIB"):
        profile = read_bmp_colors(stream, MAX_PROFILE_BYTES).profile
    elif image.format == "GIF":
        profile = joined(read_application(stream, _GIF_PROFILE, MAX_PROFILE_BYTES) or b"")
    else:
        profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES else None


def read_colors(stream: BinaryIO, image: Image.Image, channels: int) -> Colors:
    """What holds of pixels of so many channels, from a file and its image, which is loaded or is not to be."""
    profile, chunks, note = read_profile(stream, image), _png_chunks(stream, image), None
    if profile is not None and not profile_fits(profile, channels):
        profile, note = None, _DAMAGED
    if (numbers := _numbers(chunks)) is not None:
        return Colors(_of_numbers(numbers, channels, profile), chunks, note)
    said = _boxes_numbers(stream, image) if profile is None else None
    if said is not None and cicp.is_specified(said):
        numbers = (*said[:2], 0, 1)  # as RGB, which they have become
        if not cicp.is_srgb(numbers) and cicp.color_space(numbers) is None:
            chunks = ((b"cICP", bytes(number & 0xFF for number in numbers)),)
        return Colors(_of_numbers(numbers, channels, None), chunks, note)
    if profile is not None:
        return Colors(profile, chunks, note)
    space = _stated(stream, image)
    if space is None:
        space = _said_by_exif(image)
    if isinstance(space, str):
        return Colors(None, chunks, space)
    return Colors(None if space is None else _profile(space, channels), chunks, note)


def fit_colors(layout: Layout, image_format: ImageFormat, channels: int) -> Layout:
    """The layout with what a picture of so many channels can say of its colors in a format; notes say what is lost."""
    profile, chunks, notes = layout.icc_profile, layout.color_chunks, list(layout.notes)
    numbers = _numbers(chunks)
    if image_format is not ImageFormat.PNG:
        chunks = ()
        if numbers is not None and not cicp.is_srgb(numbers) and cicp.color_space(numbers) is None:
            said = cicp.described(numbers)
            notes.append(f"{image_format.name} cannot state its colours, {said}, and shows others; PNG states them")
    if profile is not None and not profile_fits(profile, channels):
        profile = None
        notes.append("the colour profile of grey was left out, as the result has colours")
    if profile is not None and image_format not in _WITH_PROFILE:
        if not _is_srgb(profile):
            notes.append(f"{image_format.name} holds no colour profile, without which its colours are taken for sRGB")
        profile = None
    return dataclasses.replace(layout, icc_profile=profile, color_chunks=chunks, notes=tuple(notes))


def profile_fits(profile: bytes, channels: int) -> bool:
    """Whether a profile is one at all and describes pixels of this many channels."""
    return profile[36:40] == b"acsp" and profile[16:20] == _PROFILE_SPACES[channels]


def _of_numbers(numbers: cicp.Numbers, channels: int, profile: bytes | None) -> bytes | None:
    """The profile for code points, which override another one; that stays if they mean more than one can say."""
    if cicp.is_srgb(numbers):
        return None
    space = cicp.color_space(numbers)
    return profile if space is None else _profile(space, channels)


def _numbers(chunks: Chunks) -> cicp.Numbers | None:
    """The code points of chunks."""
    content = dict(chunks).get(b"cICP", b"")
    return (content[0], content[1], content[2], content[3]) if len(content) == 4 else None


def _boxes_numbers(stream: BinaryIO, image: Image.Image) -> cicp.Numbers | None:
    """The code points in a file's boxes."""
    if image.format == "JPEG2000":
        return read_jpeg2000(stream).cicp
    return read_avif(stream).cicp if image.format in ("AVIF", "HEIF") else None


def _is_srgb(profile: bytes) -> bool:
    """Whether a profile calls itself so."""
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


def _profile(space: ColorSpace, channels: int) -> bytes | None:
    grey = channels <= 2
    return None if grey and space.curve is srgb_curve else make_profile(space, grey=grey)


def _png_chunks(stream: BinaryIO, image: Image.Image) -> Chunks:
    if image.format != "PNG":
        return ()
    found: dict[bytes, bytes] = {}
    for chunk in read_chunks(stream):
        if chunk.name == b"IDAT":
            break
        if chunk.name in _CHUNKS and chunk.name not in found:
            found[chunk.name] = read_chunk(stream, chunk, 64)
    return tuple(found.items())


def _stated(stream: BinaryIO, image: Image.Image) -> ColorSpace | str | None:
    """The color space that a format's own means state, a note if that is not usable, None if they state none."""
    match image.format:
        case "PNG":
            return None if "srgb" in image.info else _of_png(image)
        case "JPEG2000":
            file = read_jpeg2000(stream)
            return _UNKNOWN if file.is_unknown else ROMM_RGB if file.stated is Space.ROMM else None
        case "BMP" | "DIB":
            colors = read_bmp_colors(stream, MAX_PROFILE_BYTES)
            if colors.primaries:
                return _space("BMP", colors.primaries, gamma=colors.gamma)
            return _LINKED if colors.is_linked else None
    return None


def _of_png(image: Image.Image) -> ColorSpace | str | None:
    gamma, points = image.info.get("gamma"), image.info.get("chromaticity")
    if gamma is not None and gamma <= 0:
        return _IMPOSSIBLE
    exponent = None if gamma is None else 1 / gamma
    if points is None:
        return _space("PNG", gamma=exponent)
    white, *primaries = zip(points[::2], points[1::2], strict=False)
    return _space("PNG", primaries, white, exponent)


def _said_by_exif(image: Image.Image) -> ColorSpace | str | None:
    """What cameras say (Exif 2.32 and DCF 2.0), and TIFF files by the same tags."""
    try:
        tags = image.getexif()
        said = tags.get_ifd(ExifTags.IFD.Exif)
        index = str(tags.get_ifd(ExifTags.IFD.Interop).get(_INTEROPERABILITY_INDEX, ""))
        number, exponent = said.get(ExifTags.Base.ColorSpace), said.get(_GAMMA)
        points = [float(value) for value in tags.get(ExifTags.Base.PrimaryChromaticities, ())]
        white = [float(value) for value in tags.get(ExifTags.Base.WhitePoint, ())]
    except Exception:  # broken metadata does not make a picture unreadable
        return None
    if number == _EXIF_SRGB:
        return None
    if number == _EXIF_ADOBE_RGB or index.startswith("R03"):
        return ADOBE_RGB
    if number == _EXIF_WIDE_GAMUT:
        return WIDE_GAMUT_RGB
    if len(points) == 6:
        place = (white[0], white[1]) if len(white) == 2 else D65
        primaries = list(zip(points[::2], points[1::2], strict=True))
        return _space("EXIF", primaries, place, None if exponent is None else float(exponent))
    if ExifTags.Base.TransferFunction in tags and image.format == "TIFF":
        return _TRANSFER_FUNCTION
    return _UNKNOWN if number in (_EXIF_UNCALIBRATED, _EXIF_PROFILE) else None


def _space(
    name: str,
    primaries: Sequence[Point] = (SRGB.red, SRGB.green, SRGB.blue),
    white: Point = D65,
    gamma: float | None = None,
) -> ColorSpace | str | None:
    """A space of this exponent, by default of the curve of sRGB; None if it is hardly another than sRGB."""
    if len(primaries) != 3:
        return _IMPOSSIBLE
    red, green, blue = primaries
    usual = (SRGB.red, SRGB.green, SRGB.blue, SRGB.white)
    is_usual = np.allclose((red, green, blue, white), usual, rtol=0, atol=_HARDLY)
    if is_usual and (gamma is None or abs(1 / gamma - _USUAL_GAMMA) < _HARDLY):
        return None
    described = f"{name}'s primaries" + ("" if gamma is None else f" and gamma {gamma:.2f}")
    space = ColorSpace(described, red, green, blue, white, srgb_curve if gamma is None else gamma)
    return space if space.is_possible else _IMPOSSIBLE
