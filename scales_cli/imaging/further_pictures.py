"""What else of pictures lies in a file, of which only the main one is enlarged."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from scales_cli.imaging.containers import jpeg
from scales_cli.imaging.containers.avif import read_avif
from scales_cli.imaging.containers.jpeg2000 import read_jpeg2000
from scales_cli.imaging.containers.netpbm import has_further_pictures
from scales_cli.imaging.containers.tiff import read_directories, starting_at
from scales_cli.imaging.tiff_directory import DirectoryReader

FIRST_ONLY = "only the first picture of the file is used"

_MPF = b"MPF\0"
_MP_ENTRIES = 0xB002
_MP_ENTRY_BYTES = 16
_MP_KINDS = {0x020001: "parts of a panorama", 0x020002: "a stereo view", 0x020003: "further views"}
_THUMBNAIL = 0x01  # the upper byte of such kinds
_APP1, _APP2 = jpeg.APP0 + 1, jpeg.APP0 + 2
_ADDED = {  # what segments of JPEG say of data behind the picture
    "a gain map": re.compile(rb"hdrgm:|HDRGainMap|urn:iso:std:iso:ts:21496"),
    "a video": re.compile(rb"\b(MotionPhoto|MicroVideo)(=[\"']1|>1)"),
    "a depth map": re.compile(rb"GDepth:|depthmap|DepthMap"),
}
_MAX_SEARCHED_BYTES = 2**22
_LAYERS = 37724  # Photoshop's, in TIFF


def at_main_picture(stream: BinaryIO) -> BinaryIO:
    """The file as one that begins with its main picture: a TIFF's first of full size, which may lie below another."""
    directories = list(read_directories(stream))
    main = [directory for directory in directories if directory.is_main]
    first = min(main, key=lambda directory: directory.depth, default=None)
    if first is None or first is directories[0]:
        return stream
    return starting_at(stream, first.place)


def read_left_out(stream: BinaryIO, image: Image.Image, frames: int) -> str | None:
    """A note if a file has more than the picture that is used, of so many `frames`."""
    names: list[str] = []
    match image.format:
        case "JPEG" | "MPO":
            names, count = list(dict.fromkeys(_of_jpeg(stream))), 1
        case "AVIF" | "HEIF":
            names, count = [f"a {name}" for name in read_avif(stream).others], frames
        case "JPEG2000":
            count = read_jpeg2000(stream).codestreams
        case "PPM":
            count = 1 + has_further_pictures(stream)
        case "TIFF":  # whose pages Pillow would refuse to count if it knew not all of them
            pages = [directory for directory in read_directories(stream) if not directory.depth]
            count = sum(page.is_main for page in pages)
            names = ["a transparency mask"] * any(page.is_mask for page in pages)
            names += ["its layers"] * (_LAYERS in getattr(image, "tag_v2", {}))
        case _:
            count = frames
    if count > 1:
        return FIRST_ONLY
    return f"only the main picture of the file is used, not {' and '.join(names)}" if names else None


def _of_jpeg(stream: BinaryIO) -> Iterator[str]:
    room = _MAX_SEARCHED_BYTES
    for segment in jpeg.read_segments(stream):
        if segment.marker == jpeg.SOS or room <= 0:
            return
        if segment.marker in (_APP1, _APP2):
            content = jpeg.read_segment(stream, segment)
            room -= len(content)
            yield from (name for name, pattern in _ADDED.items() if pattern.search(content))
            if content.startswith(_MPF):
                yield from _of_multi_picture_format(content[len(_MPF) :])


def _of_multi_picture_format(block: bytes) -> Iterator[str]:
    """Of the pictures behind the first, which are of no use without it or of their own; thumbnails are not missed."""
    try:
        reader = DirectoryReader(io.BytesIO(block), len(block))
    except ValueError:
        return
    _, entries = reader.entries(reader.first).get(_MP_ENTRIES, (0, b""))
    for start in range(_MP_ENTRY_BYTES, len(entries) - _MP_ENTRY_BYTES + 1, _MP_ENTRY_BYTES):
        kind = reader.number(entries[start : start + 4]) & 0xFFFFFF
        if kind >> 16 != _THUMBNAIL:
            yield _MP_KINDS.get(kind, "another picture")
