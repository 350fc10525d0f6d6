"""EXIF: a small TIFF file of directories about the picture, the exposure and the place.

Values are kept as the bytes they are: texts are in whatever code their writer used (ASCII by the standard, UTF-8 and
Latin-1 in practice).
"""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass, field
from typing import BinaryIO, Self

import numpy as np
from PIL.ExifTags import Base as Tag

from scales_cli.imaging.tiff_directory import (
    ASCII,
    ELEMENT_BYTES,
    LONG,
    LONG8,
    UNDEFINED,
    VALUE_TYPES,
    DirectoryReader,
    Entries,
    Tags,
    directory,
)

_MAX_READ_BYTES = 2**20
PREFIX = b"Exif\0\0"

IPTC, PHOTOSHOP = 33723, 34377
_PHOTOSHOP_LAYERS, _CONTENT_CREDENTIALS, _PADDING, _MAKER_NOTE_SHIFT = 37724, 52545, 59932, 59933
_SUBJECT_PLACES = (37396, 41492)
GEO_TAGS = frozenset({33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113})

# Tags that say who made the picture and how. Left out: place, thumbnail, maker notes and serial numbers, and whatever
# describes the pixels, which are no longer those of the input.
_SAFE = frozenset({Tag.ImageDescription, Tag.Make, Tag.Model, Tag.Software, Tag.DateTime, Tag.Artist, Tag.Copyright})
_SAFE_OF_EXPOSURE = frozenset(
    {
        *(Tag.ExposureTime, Tag.FNumber, Tag.ExposureProgram, Tag.ISOSpeedRatings),
        *(Tag.DateTimeOriginal, Tag.DateTimeDigitized, Tag.SubsecTime, Tag.SubsecTimeOriginal, Tag.SubsecTimeDigitized),
        *(Tag.OffsetTime, Tag.OffsetTimeOriginal, Tag.OffsetTimeDigitized),
        *(Tag.ShutterSpeedValue, Tag.ApertureValue, Tag.ExposureBiasValue, Tag.MeteringMode, Tag.Flash),
        *(Tag.FocalLength, Tag.FocalLengthIn35mmFilm, Tag.LensMake, Tag.LensModel),
    }
)

# What describes the stored pixels, or counts in them, and what is read apart: directories, profiles, other records.
_OF_THE_PIXELS = frozenset(
    {
        *(Tag.NewSubfileType, Tag.SubfileType, Tag.ImageWidth, Tag.ImageLength, Tag.BitsPerSample, Tag.Compression),
        *(Tag.PhotometricInterpretation, Tag.Thresholding, Tag.CellWidth, Tag.CellLength, Tag.FillOrder),
        *(Tag.StripOffsets, Tag.Orientation, Tag.SamplesPerPixel, Tag.RowsPerStrip, Tag.StripByteCounts),
        *(Tag.MinSampleValue, Tag.MaxSampleValue, Tag.XResolution, Tag.YResolution, Tag.PlanarConfiguration),
        *(Tag.FreeOffsets, Tag.FreeByteCounts, Tag.GrayResponseUnit, Tag.GrayResponseCurve, Tag.T4Options),
        *(Tag.T6Options, Tag.ResolutionUnit, Tag.TransferFunction, Tag.Predictor, Tag.WhitePoint),
        *(Tag.PrimaryChromaticities, Tag.ColorMap, Tag.HalftoneHints, Tag.TileWidth, Tag.TileLength, Tag.TileOffsets),
        *(Tag.TileByteCounts, Tag.SubIFDs, Tag.InkSet, Tag.InkNames, Tag.NumberOfInks, Tag.DotRange),
        *(Tag.ExtraSamples, Tag.SampleFormat, Tag.SMinSampleValue, Tag.SMaxSampleValue, Tag.TransferRange),
        *(Tag.ClipPath, Tag.XClipPathUnits, Tag.YClipPathUnits, Tag.Indexed, Tag.JPEGTables),
        *(Tag.JPEGProc, Tag.JpegIFOffset, Tag.JpegIFByteCount, Tag.JpegRestartInterval),
        *(Tag.JpegLosslessPredictors, Tag.JpegPointTransforms, Tag.JpegQTables, Tag.JpegDCTables, Tag.JpegACTables),
        *(Tag.YCbCrCoefficients, Tag.YCbCrSubSampling, Tag.YCbCrPositioning, Tag.ReferenceBlackWhite),
        *(Tag.XMLPacket, Tag.InterColorProfile, Tag.ExifOffset, Tag.GPSInfo, Tag.ExifInteroperabilityOffset),
        *(Tag.ExifImageWidth, Tag.ExifImageHeight, Tag.CompressedBitsPerPixel, *_SUBJECT_PLACES),
        *(Tag.FocalPlaneXResolution, Tag.FocalPlaneYResolution, Tag.FocalPlaneResolutionUnit),
        *(IPTC, PHOTOSHOP, _PHOTOSHOP_LAYERS, _CONTENT_CREDENTIALS, _PADDING, _MAKER_NOTE_SHIFT),
        *GEO_TAGS,
    }
)
_UNREAD = _OF_THE_PIXELS - GEO_TAGS - {Tag.ExifOffset, Tag.GPSInfo, IPTC, PHOTOSHOP}  # some are as large as the picture

_WORD_BYTES = {5: 4, 10: 4}  # of rationals, which are two


@dataclass(frozen=True)
class Exif:
    """What a file says of its picture, by directory; values lie in the `order` of bytes, "<" or ">".

    `damaged` is the number of entries that could not be read.
    """

    picture: Entries = field(default_factory=dict)
    exposure: Entries = field(default_factory=dict)
    place: Entries = field(default_factory=dict)
    order: str = "<"
    damaged: int = 0

    @classmethod
    def read(cls, stream: BinaryIO) -> Self:
        """All of a block without its prefix, or of a TIFF file's first directory. Raises `ValueError` for others."""
        reader = DirectoryReader(stream, _MAX_READ_BYTES)
        picture = reader.entries(reader.first, _UNREAD)
        exposure, place = (
            reader.entries(reader.number(picture[tag][1])) if tag in picture else {}
            for tag in (Tag.ExifOffset, Tag.GPSInfo)
        )
        return cls(picture, exposure, place, reader.order, reader.damaged)

    @classmethod
    def parse(cls, block: bytes) -> Self:
        """What `read` gives of a block in memory."""
        return cls.read(io.BytesIO(block.removeprefix(PREFIX)))

    def safe(self) -> Self:
        """The harmless tags."""
        return dataclasses.replace(
            self, picture=_only(self.picture, _SAFE), exposure=_only(self.exposure, _SAFE_OF_EXPOSURE), place={}
        )

    def still_true(self) -> Self:
        """All tags but those of the pixels."""
        return dataclasses.replace(
            self, picture=_without(self.picture, _OF_THE_PIXELS), exposure=_without(self.exposure, _OF_THE_PIXELS)
        )

    def with_text(self, tag: int, text: bytes) -> Self:
        """With a text, in the directory it belongs to; as it is if it has one by that tag."""
        if tag == Tag.UserComment:
            return dataclasses.replace(self, exposure={tag: (UNDEFINED, text)} | self.exposure)
        return dataclasses.replace(self, picture={tag: (ASCII, text + b"\0")} | self.picture)

    def packed(self) -> bytes | None:
        """A block with its prefix, None if nothing is in it."""
        if not (self.picture or self.exposure or self.place):
            return None
        mark = b"II*\0" if self.order == "<" else b"MM\0*"
        subdirectories, main = self.directories(8, order=self.order)
        start = 8 + len(subdirectories)
        return PREFIX + mark + start.to_bytes(4, "little" if self.order == "<" else "big") + subdirectories + main

    def directories(
        self, position: int, tags: Tags | None = None, *, big: bool = False, order: str = "<"
    ) -> tuple[bytes, bytes]:
        """The directories below, for that position in a file, and the main one that follows them, with more `tags`."""
        below, pointers = b"", {}
        for tag, entries in ((Tag.ExifOffset, self.exposure), (Tag.GPSInfo, self.place)):
            if entries:
                place = position + len(below)
                pointers[int(tag)] = (LONG8, (place,)) if big else (LONG, (place,))
                below += directory(self._ordered(entries, order), place, big=big, order=order)
        main = self._ordered(self.picture, order) | pointers | (tags or {})
        return below, directory(main, position + len(below), big=big, order=order)

    def _ordered(self, entries: Entries, order: str) -> Tags:
        """Entries with their values in an order of bytes."""
        if order == self.order:
            return dict(entries)
        return {
            tag: (kind, _swapped(value, _WORD_BYTES.get(kind, ELEMENT_BYTES[kind])))
            for tag, (kind, value) in entries.items()
        }


def _only(entries: Entries, tags: frozenset[int]) -> Entries:
    return {tag: entries[tag] for tag in entries.keys() & tags if entries[tag][0] in VALUE_TYPES}


def _without(entries: Entries, tags: frozenset[int]) -> Entries:
    return _only(entries, frozenset(entries.keys() - tags))


def _swapped(value: bytes, size: int) -> bytes:
    return np.frombuffer(value, f"u{size}").byteswap().tobytes()
