"""What is kept of a file's metadata: orientation (to apply it), resolution, and records: EXIF, XMP, IPTC, texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from PIL import ExifTags, Image

from scales_cli.imaging import exif, iptc, texts
from scales_cli.imaging.containers.boxes import read_box, read_boxes
from scales_cli.imaging.containers.gif import read_application
from scales_cli.imaging.exif import Exif
from scales_cli.imaging.output_options import Metadata
from scales_cli.imaging.texts import Text
from scales_cli.imaging.xmp import MAX_XMP_BYTES, still_true

_UUIDS = {
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
}
_MAX_BOX_BYTES = 2**22
_GIF_XMP_END_BYTES = 258
_ORIENTATION = ExifTags.Base.Orientation
_INCH, _CENTIMETRE = 2, 3  # of ResolutionUnit
_DPI_OF_UNITS = {_INCH: 1.0, _CENTIMETRE: 2.54}


def read_orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 if there is none or a meaningless one, or if it is applied in decoding."""
    if image.format == "JXL":
        return 1
    try:
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)  # `image.getexif` would load a PNG
    except Exception:  # broken metadata does not make a picture unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """What the format says, or else EXIF."""
    if image.format == "TIFF" and ExifTags.Base.XResolution not in getattr(image, "tag_v2", {}):
        return None  # where Pillow says 1
    try:
        x, y = (float(value) for value in image.info["dpi"]) if "dpi" in image.info else _exif_dpi(image)
    except Exception:  # broken metadata does not make a picture unreadable
        return None
    usable = all(math.isfinite(value) and 1 <= value <= 65535 for value in (x, y))
    return (x, y) if usable else None


def _exif_dpi(image: Image.Image) -> tuple[float, float]:
    """Raises an error of any kind if there is none."""
    tags = Image.Image.getexif(image)
    factor = _DPI_OF_UNITS[tags.get(ExifTags.Base.ResolutionUnit, _INCH)]
    x, y = (factor * float(tags[tag]) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution))
    return x, y


@dataclass(frozen=True)
class Records:
    """What is to be kept of a file's metadata, and notes on what should be and is not."""

    exif: bytes | None
    xmp: bytes | None
    iptc: bytes | None
    texts: tuple[Text, ...]
    notes: tuple[str, ...]


def read_records(stream: BinaryIO, image: Image.Image, metadata: Metadata) -> Records:
    """Of an image that is loaded, or is not to be; what is broken of them does not make a picture unreadable."""
    if metadata is Metadata.NONE:
        return Records(None, None, None, (), ())
    notes: list[str] = []
    kept_texts = _texts(stream, image)
    profiles = dict(profile for text in kept_texts if (profile := text.raw_profile))
    if image.format == "JPEG2000":
        profiles = dict(_uuid_boxes(stream))
    said = _tried(lambda: _exif(stream, image, profiles), "EXIF tags", notes) or Exif()
    if metadata is Metadata.SAFE:
        kept_texts = tuple(text for text in kept_texts if text.keyword in texts.SAFE_KEYWORDS)
        return Records(said.safe().packed(), None, None, kept_texts, tuple(notes))
    if said.damaged:
        notes.append(f"{said.damaged} entries of its EXIF are damaged or too long and were left out")
    if exif.GEO_TAGS & said.picture.keys():
        notes.append("its place on the map (GeoTIFF) was left out, which is counted in pixels")
    packet = image.info.get("xmp") or profiles.get("xmp") or _gif_xmp(stream, image)
    return Records(
        said.still_true().packed(),
        _tried(lambda: still_true(bytes(packet)) if packet else None, "XMP metadata", notes),
        _tried(lambda: _iptc(image, said, profiles), "IPTC records", notes),
        tuple(text for text in kept_texts if text.is_text),
        tuple(notes),
    )


Found = TypeVar("Found")


def _tried(read: Callable[[], Found], name: str, notes: list[str]) -> Found | None:
    """What is read; None and a note if it is damaged."""
    try:
        return read()
    except (ValueError, TypeError) as error:
        notes.append(f"its {name} were left out: {error}" if str(error) else f"its {name} are damaged")
        return None


def _exif(stream: BinaryIO, image: Image.Image, profiles: dict[str, bytes]) -> Exif | None:
    if image.format == "TIFF":
        return Exif.read(stream)
    block = image.info.get("exif") or profiles.get("exif") or profiles.get("app1")
    block = block.removeprefix(exif.PREFIX) if isinstance(block, bytes) else b""
    return Exif.parse(block) if block.strip(b"\0") else None


def _gif_xmp(stream: BinaryIO, image: Image.Image) -> bytes | None:
    """XMP metadata, which lie in a GIF as they are, with an end that any chain of pieces comes to."""
    if image.format != "GIF":
        return None
    found = read_application(stream, b"XMP DataXMP", MAX_XMP_BYTES + _GIF_XMP_END_BYTES) or b""
    return found[:-_GIF_XMP_END_BYTES] or None


def _uuid_boxes(stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """The records of a JPEG 2000 file, by kind."""
    for box in read_boxes(stream):
        if box.kind == b"uuid" and box.end - box.start <= _MAX_BOX_BYTES:
            data = read_box(stream, box, _MAX_BOX_BYTES)
            if kind := _UUIDS.get(data[:16]):
                yield kind, data[16:]


def _iptc(image: Image.Image, said: Exif, profiles: dict[str, bytes]) -> bytes | None:
    """The records that still hold."""
    resources = [profiles.get("8bim", b""), profiles.get("iptc", b"")]
    resources += [said.picture[tag][1] for tag in (exif.PHOTOSHOP,) if tag in said.picture]
    prefix = iptc.SEGMENT_PREFIX
    segments = [data for name, data in getattr(image, "applist", ()) if name == "APP13" and data.startswith(prefix)]
    resources.append(b"".join(data.removeprefix(prefix) for data in segments))
    found = [block for block in resources if block.startswith(iptc.MARKER)]
    found += [records for block in resources if (records := iptc.from_resources(block.removeprefix(prefix)))]
    if exif.IPTC in said.picture:
        found.insert(0, iptc.from_tag(said.picture[exif.IPTC][1]))
    return iptc.still_true(found[0]) if found else None


def _texts(stream: BinaryIO, image: Image.Image) -> tuple[Text, ...]:
    """The texts of a PNG, or comments."""
    if image.format == "PNG":
        return texts.read_texts(stream)
    comments = [data for name, data in getattr(image, "applist", ()) if name == "COM"]
    if image.format == "GIF" and (comment := image.info.get("comment")):
        comments = [comment]
    return tuple(Text.of(texts.COMMENT, comment.rstrip(b"\0")) for comment in comments)
