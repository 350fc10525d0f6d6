"""What is kept of a file's metadata: orientation (to apply it), resolution, EXIF tags, XMP."""

from __future__ import annotations

import math
from typing import Any

from PIL import ExifTags, Image

from scales_cli.imaging.output_options import Metadata
from scales_cli.imaging.xmp import still_true

MAX_EXIF_BYTES = 60_000  # a JPEG segment holds 65 533

_ORIENTATION = ExifTags.Base.Orientation

# Tags that say who made the picture and how. Left out: place, thumbnail, maker notes and serial numbers, and whatever
# describes the pixels, which are no longer those of the input.
_KEPT = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)
_KEPT_OF_EXPOSURE = (
    ExifTags.Base.ExposureTime,
    ExifTags.Base.FNumber,
    ExifTags.Base.ExposureProgram,
    ExifTags.Base.ISOSpeedRatings,
    ExifTags.Base.DateTimeOriginal,
    ExifTags.Base.DateTimeDigitized,
    ExifTags.Base.OffsetTime,
    ExifTags.Base.OffsetTimeOriginal,
    ExifTags.Base.ShutterSpeedValue,
    ExifTags.Base.ApertureValue,
    ExifTags.Base.ExposureBiasValue,
    ExifTags.Base.MeteringMode,
    ExifTags.Base.Flash,
    ExifTags.Base.FocalLength,
    ExifTags.Base.FocalLengthIn35mmFilm,
    ExifTags.Base.LensMake,
    ExifTags.Base.LensModel,
)

_PHOTOSHOP_LAYERS = 37724

# What describes the stored pixels, which are no longer those of the input, and the directories that are read apart.
_OF_THE_PIXELS = (
    ExifTags.Base.Orientation,
    ExifTags.Base.ImageWidth,
    ExifTags.Base.ImageLength,
    ExifTags.Base.BitsPerSample,
    ExifTags.Base.Compression,
    ExifTags.Base.PhotometricInterpretation,
    ExifTags.Base.StripOffsets,
    ExifTags.Base.SamplesPerPixel,
    ExifTags.Base.RowsPerStrip,
    ExifTags.Base.StripByteCounts,
    ExifTags.Base.PlanarConfiguration,
    ExifTags.Base.Predictor,
    ExifTags.Base.ColorMap,
    ExifTags.Base.TileWidth,
    ExifTags.Base.TileLength,
    ExifTags.Base.TileOffsets,
    ExifTags.Base.TileByteCounts,
    ExifTags.Base.ExtraSamples,
    ExifTags.Base.SampleFormat,
    ExifTags.Base.XMLPacket,
    ExifTags.Base.InterColorProfile,
    ExifTags.Base.ExifOffset,
    ExifTags.Base.GPSInfo,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
    ExifTags.Base.ExifInteroperabilityOffset,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.NewSubfileType,
    ExifTags.Base.SubIFDs,
    ExifTags.Base.ImageResources,
    _PHOTOSHOP_LAYERS,
)


def read_orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 if there is none or a meaningless one."""
    try:
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)  # `image.getexif` would load a PNG
    except Exception:  # broken metadata does not make a picture unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def read_dpi(image: Image.Image) -> tuple[float, float] | None:
    if image.format == "TIFF" and ExifTags.Base.XResolution not in getattr(image, "tag_v2", {}):
        return None  # where Pillow says 1
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    usable = all(math.isfinite(value) and 1 <= value <= 65535 for value in (x, y))
    return (x, y) if usable else None


def read_exif(image: Image.Image, metadata: Metadata = Metadata.SAFE) -> tuple[bytes | None, str | None]:
    """The tags to keep as a new EXIF block, None if there are none; and why tags are missing that should be kept."""
    if metadata is Metadata.NONE:
        return None, None
    kept = Image.Exif()
    try:
        exif = image.getexif()
        exposure = exif.get_ifd(ExifTags.IFD.Exif)
        if metadata is Metadata.SAFE:
            tags, exposure = _chosen(exif, _KEPT), _chosen(exposure, _KEPT_OF_EXPOSURE)
        else:
            tags, exposure = _without(exif, _OF_THE_PIXELS), _without(exposure, _OF_THE_PIXELS)
            if place := exif.get_ifd(ExifTags.IFD.GPSInfo):
                kept[ExifTags.IFD.GPSInfo] = dict(place)
        for tag, value in tags.items():
            kept[tag] = value
        if exposure:
            kept.get_ifd(ExifTags.IFD.Exif).update(exposure)
            kept[ExifTags.IFD.Exif] = exposure
        block = kept.tobytes() if len(kept) else b""
    except Exception:  # as above
        return None, None
    if len(block) <= MAX_EXIF_BYTES:
        return block or None, None
    note = f"its EXIF has more than {MAX_EXIF_BYTES} bytes and was left out"
    if metadata is Metadata.SAFE:
        return None, note
    return read_exif(image, Metadata.SAFE)[0], f"{note} but for the usual tags"


def read_xmp(image: Image.Image, metadata: Metadata) -> tuple[bytes | None, str | None]:
    """The packet to keep, and why one is not. Only all of it is worth keeping: it is about people and places."""
    packet = image.info.get("xmp")
    if metadata is not Metadata.KEEP or not packet:
        return None, None
    try:
        return still_true(bytes(packet)), None
    except (ValueError, TypeError) as error:
        return None, f"its XMP metadata were left out: {error}"


def without_exposure(exif: bytes) -> bytes | None:
    """An EXIF block without its directory of exposure data, None if nothing else is in it."""
    kept = Image.Exif()
    kept.load(exif)
    kept.pop(ExifTags.IFD.Exif, None)
    return kept.tobytes() if len(kept) else None


def native_tags(exif: bytes) -> dict[int, bytes]:
    """The tags of an EXIF block that TIFF holds as texts of its own."""
    block = Image.Exif()
    block.load(exif)
    texts = {tag: value for tag, value in _chosen(block, _KEPT).items() if isinstance(value, str)}
    return {tag: text.encode("ascii", "replace") for tag, text in texts.items()}


def _without(tags: Any, names: tuple[int, ...]) -> dict[int, Any]:
    return {tag: value for tag, value in tags.items() if tag not in names}


def _chosen(tags: Any, names: tuple[int, ...]) -> dict[int, Any]:
    return {int(name): tags[name] for name in names if name in tags}
