"""The picture formats this program reads, and those it writes. A format is added by one member of `ImageFormat`.

Formats are recognised by content when reading (only those listed are ever tried: interpreters such as EPS, PDF or SVG
are not) and chosen by extension when writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Protocol

from scales_cli.errors import OutputError
from scales_cli.system.extras import is_installed

MAX_OUTPUT_PIXELS = 2**30
BMP_HEADER_BYTES = 54


@dataclass(frozen=True)
class Abilities:
    """What a format can hold. The first of `extensions` is the default one.

    Files of `other_extensions` are found in folders, too, but no result gets such a name. A format that is not
    `writable` is only read: its enlargement becomes a PNG. One with a `library` is read if that is installed, as with
    the `extra` of this package.
    """

    extensions: tuple[str, ...]
    other_extensions: tuple[str, ...] = ()
    max_side: int = 2**31 - 1
    max_bytes: int | None = None  # of samples, for formats that do not compress
    alpha: bool = False
    sixteen_bit: bool = False
    writable: bool = True
    animation: bool = False
    library: str = ""
    extra: str = ""


class Named(Protocol):
    """A path, or whatever else has an extension."""

    @property
    def suffix(self) -> str: ...


class ImageFormat(Enum):
    """The formats under Pillow's names, in the order in which they are tried: TGA, which has no signature, is last.

    Each is one object in a process, also when it comes from another one: `is` compares them.
    """

    PNG = Abilities((".png",), (".apng",), alpha=True, sixteen_bit=True, animation=True)
    JPEG = Abilities((".jpg", ".jpeg", ".jpe", ".jfif"), (".mpo",), max_side=65500)  # libjpeg's limit, not 65535
    WEBP = Abilities((".webp",), max_side=16383, alpha=True, animation=True)
    TIFF = Abilities((".tif", ".tiff"), alpha=True, sixteen_bit=True)
    BMP = Abilities((".bmp", ".dib"), max_bytes=2**32 - 1 - BMP_HEADER_BYTES - 1024)  # with a grey palette
    PPM = Abilities((".pnm", ".ppm", ".pgm"), (".pbm",), sixteen_bit=True)

    GIF = Abilities((".gif",), writable=False, animation=True)
    AVIF = Abilities((".avif", ".avifs"), writable=False, animation=True)
    JPEG2000 = Abilities((".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), writable=False)
    QOI = Abilities((".qoi",), writable=False)
    ICO = Abilities((".ico",), writable=False)
    HEIF = Abilities(
        (".heic", ".heif", ".hif"), (".heics", ".heifs"), writable=False, library="pillow_heif", extra="heif"
    )
    JXL = Abilities((".jxl",), writable=False, library="pillow_jxl", extra="jxl")
    TGA = Abilities((".tga", ".icb", ".vda", ".vst"), writable=False)

    def __init__(self, abilities: Abilities) -> None:
        self.extensions = abilities.extensions
        self.other_extensions = abilities.other_extensions
        self.max_side = abilities.max_side
        self.max_bytes = abilities.max_bytes
        self.alpha = abilities.alpha
        self.sixteen_bit = abilities.sixteen_bit
        self.writable = abilities.writable
        self.animation = abilities.animation
        self.library = abilities.library
        self.extra = abilities.extra

    @property
    def is_read(self) -> bool:
        """Whether this installation can."""
        return not self.library or is_installed(self.library)

    def check_size(self, width: int, height: int, channels: int = 3) -> None:
        """Raises `OutputError` if a picture of this size cannot be held."""
        hint = "choose another format, e.g. PNG"
        if not self.writable:
            raise OutputError(f"{self.name} is read, but not written", hint)
        if max(width, height) > self.max_side:
            raise OutputError(
                f"{self.name} holds at most {self.max_side} pixels a side, the result has {width} x {height}", hint
            )
        if self.max_bytes is not None:
            colors = channels if self.alpha or channels % 2 else channels - 1
            padded = -(-width * colors // 4) * 4  # as in BMP, the only such format
            if padded * height > self.max_bytes:
                raise OutputError(f"{self.name} holds less than 4 GiB, the result has {width} x {height} pixels", hint)

    def can_hold(self, width: int, height: int, channels: int = 3) -> bool:
        """Whether `check_size` accepts a picture."""
        try:
            self.check_size(width, height, channels)
        except OutputError:
            return False
        return True


READABLE = "PNG, JPEG, WebP, TIFF, BMP, PPM, GIF, AVIF, JPEG 2000, QOI, ICO or TGA"

# The last: a bitmap without the header of a file.
PILLOW_NAMES = (*(item.name for item in ImageFormat if not item.library), "DIB")

_ALIASES = {"MPO": ImageFormat.JPEG, "DIB": ImageFormat.BMP}  # the first: a camera's JPEG with further pictures


def format_named(name: str | None) -> ImageFormat | None:
    """The format that Pillow calls so."""
    return _ALIASES.get(name or "") or ImageFormat.__members__.get(name or "")


# Pictures of kinds that are not read: modern codecs, cameras' raw files, layered, drawn and high-dynamic-range ones.
_UNREAD_EXTENSIONS = frozenset(
    {
        *(".jxr", ".wdp", ".hdp", ".jls", ".jph", ".jhc", ".jng", ".mng", ".flif", ".bpg"),
        *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".orf", ".rw2", ".raf", ".pef"),
        *(".srw", ".x3f", ".3fr", ".iiq", ".rwl", ".mrw", ".erf", ".kdc", ".dcr", ".raw", ".gpr", ".mef", ".mos"),
        *(".fff", ".cap", ".rwz", ".dcs", ".bay", ".ari"),
        *(".psd", ".psb", ".xcf", ".kra", ".ora", ".clip", ".afphoto", ".procreate", ".pdn", ".psp", ".pspimage"),
        *(".svg", ".svgz", ".ai", ".eps", ".wmf", ".emf", ".cdr", ".djvu"),
        *(".exr", ".hdr", ".pfm", ".pam", ".fits", ".dcm", ".dds", ".ktx", ".ktx2", ".vtf"),
        *(".pcx", ".sgi", ".ras", ".pict", ".pct", ".xbm", ".xpm", ".icns", ".cur"),
    }
)


def is_picture_name(path: PurePath) -> bool:
    """Whether a file in a folder is taken for a picture that can be read: by its extension, unless it is hidden."""
    return path.name[0] != "." and any(item.is_read for item in _formats_named_like(path.suffix.lower()))


def is_unread_picture_name(path: PurePath) -> bool:
    """Whether a file is a picture by its extension, of a kind that is not read, or not by this installation."""
    suffix = path.suffix.lower()
    return suffix in _UNREAD_EXTENSIONS or any(not item.is_read for item in _formats_named_like(suffix))


@cache
def _formats_named_like(suffix: str) -> list[ImageFormat]:
    return [item for item in ImageFormat if suffix in item.extensions + item.other_extensions]


def format_for(path: Named) -> ImageFormat:
    """The format an output's extension asks for."""
    suffix = path.suffix.lower()
    for item in ImageFormat:
        if suffix in item.extensions:
            return item
    known = " ".join(item.extensions[0] for item in ImageFormat if item.writable)
    what = f"unknown extension {suffix!r}" if suffix else "no extension"
    raise OutputError(f"{path}: {what}", f"use one of {known}, --format, or a folder that exists")
