"""The picture formats this program reads, and those it writes. A format is added by one line in `FORMATS`.

Formats are recognised by content when reading (only those listed are ever tried: interpreters such as EPS, PDF or SVG
are not) and chosen by extension when writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from scales_cli.errors import OutputError

MAX_OUTPUT_PIXELS = 2**30
BMP_HEADER_BYTES = 54


@dataclass(frozen=True)
class ImageFormat:
    """What a format can hold. `name` is Pillow's; the first of `extensions` is the default one.

    Files of `other_extensions` are found in folders, too, but no result gets such a name.

    What is not `writable` is only read: its enlargement becomes a PNG.
    """

    name: str
    extensions: tuple[str, ...]
    other_extensions: tuple[str, ...] = ()
    max_side: int = 2**31 - 1
    max_bytes: int | None = None  # of samples, for formats that do not compress
    alpha: bool = False
    sixteen_bit: bool = False
    writable: bool = True
    animation: bool = False

    def check_size(self, width: int, height: int, channels: int = 3) -> None:
        """Raises `OutputError` where a picture of this size cannot be held."""
        hint = "choose another format, e.g. PNG"
        if not self.writable:
            raise OutputError(f"{self.name} is read, but not written", hint)
        if max(width, height) > self.max_side:
            raise OutputError(
                f"{self.name} holds at most {self.max_side} pixels a side, the result has {width} x {height}", hint
            )
        if self.max_bytes is not None:
            colours = channels if self.alpha or channels % 2 else channels - 1
            padded = -(-width * colours // 4) * 4  # as in BMP, the only such format
            if padded * height > self.max_bytes:
                raise OutputError(f"{self.name} holds less than 4 GiB, the result has {width} x {height} pixels", hint)

    def can_hold(self, width: int, height: int, channels: int = 3) -> bool:
        """Whether `check_size` accepts a picture."""
        try:
            self.check_size(width, height, channels)
        except OutputError:
            return False
        return True


PNG = ImageFormat("PNG", (".png",), (".apng",), alpha=True, sixteen_bit=True, animation=True)
JPEG = ImageFormat(
    "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), (".mpo",), max_side=65500
)  # libjpeg's limit, not the format's 65535
WEBP = ImageFormat("WEBP", (".webp",), max_side=16383, alpha=True, animation=True)
TIFF = ImageFormat("TIFF", (".tif", ".tiff"), alpha=True, sixteen_bit=True)
BMP = ImageFormat("BMP", (".bmp", ".dib"), max_bytes=2**32 - 1 - BMP_HEADER_BYTES - 1024)  # with a grey palette
PPM = ImageFormat("PPM", (".pnm", ".ppm", ".pgm"), (".pbm",), sixteen_bit=True)

GIF = ImageFormat("GIF", (".gif",), writable=False, animation=True)
AVIF = ImageFormat("AVIF", (".avif", ".avifs"), writable=False, animation=True)
JPEG2000 = ImageFormat("JPEG2000", (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), writable=False)
QOI = ImageFormat("QOI", (".qoi",), writable=False)
ICO = ImageFormat("ICO", (".ico",), writable=False)
TGA = ImageFormat("TGA", (".tga", ".icb", ".vda", ".vst"), writable=False)

# In the order in which they are tried: TGA, which has no signature, is last.
FORMATS = (PNG, JPEG, WEBP, TIFF, BMP, PPM, GIF, AVIF, JPEG2000, QOI, ICO, TGA)
READABLE = "PNG, JPEG, WebP, TIFF, BMP, PPM, GIF, AVIF, JPEG 2000, QOI, ICO or TGA"

PILLOW_NAMES = (*(item.name for item in FORMATS), "DIB")  # the last: a bitmap without the header of a file

_ALIASES = {"MPO": JPEG, "DIB": BMP}  # the first: a camera's JPEG that stores further pictures behind it


def format_named(name: str | None) -> ImageFormat | None:
    """The format of Pillow's name."""
    known = {item.name: item for item in FORMATS} | _ALIASES
    return known.get(name or "")


def format_for(path: PurePath) -> ImageFormat:
    """The format an output's extension asks for."""
    suffix = path.suffix.lower()
    for item in FORMATS:
        if suffix in item.extensions:
            return item
    known = " ".join(item.extensions[0] for item in FORMATS if item.writable)
    what = f"unknown extension {suffix!r}" if suffix else "no extension"
    raise OutputError(f"{path}: {what}", f"use one of {known}, or a folder that exists")
