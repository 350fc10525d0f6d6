"""A survey of TIFF: of its first directory and that of its EXIF, decoders get no long values but the pixels' own.

An entry that is left out keeps its place, with a type that no decoder knows.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from PIL.ExifTags import Base as Tag

from scales_cli.imaging.containers.excerpt import Part, excerpt
from scales_cli.imaging.surveys.survey import (
    MAX_PROFILE_BYTES,
    MAX_RECORD_BYTES,
    MAX_TEXT_BYTES,
    Survey,
    check_bytes,
    check_count,
    too_long,
)
from scales_cli.imaging.tiff_directory import ELEMENT_BYTES

_HEADER_BYTES = 8
_MAX_ENTRIES = 4096
_MAX_STRIPS = 2**17
_OF_STRIPS = (Tag.StripOffsets, Tag.StripByteCounts, Tag.TileOffsets, Tag.TileByteCounts)
_STRIP_BYTES = 400  # of memory, for numbers and tiles as Pillow has them
_MAX_NUMBERS = 1000
_OF_FEW_NUMBERS = frozenset(  # tags that decoders look at as soon as they open a file, and make objects of
    {
        *(Tag.ImageWidth, Tag.ImageLength, Tag.BitsPerSample, Tag.SampleFormat, Tag.SamplesPerPixel, Tag.ExtraSamples),
        *(Tag.Compression, Tag.PhotometricInterpretation, Tag.PlanarConfiguration, Tag.FillOrder, Tag.ColorMap),
        *(Tag.YCbCrSubSampling, Tag.RowsPerStrip, Tag.TileWidth, Tag.TileLength),
        *(Tag.Orientation, Tag.XResolution, Tag.YResolution, Tag.ResolutionUnit),
    }
)
_LONG_EXIF_BYTES = 2**16  # shorter ones, as those of JPEG mostly are, cannot hold many
_DIRECTORIES = (Tag.ExifOffset, Tag.GPSInfo)
_COPIES = 3
_LAYERS = 37724  # of Photoshop
_UNKNOWN_TYPE = b"\0\0"


class Entry(NamedTuple):
    """An entry of a directory at `place`; `value` is that of it, or where that lies."""

    place: int
    tag: int
    kind: int
    length: int
    value: int

    @property
    def size(self) -> int:
        return self.length * ELEMENT_BYTES.get(self.kind, 0)


def survey_tiff(stream: BinaryIO) -> Survey:
    file = _File(stream)
    room, held, cut = MAX_TEXT_BYTES, 0, []
    left_out = []
    pending, seen = [file.first], set()
    following = 0
    while pending:
        place = pending.pop(0)
        seen.add(place)
        for entry in file.entries(place):
            size = entry.size
            if place == file.first:
                _check_numbers(entry)
            if entry.tag in _DIRECTORIES and place == file.first and entry.value not in seen:
                pending.append(entry.value)
            if size <= file.offset_bytes:
                continue
            if entry.tag in _OF_STRIPS and place == file.first:
                check_count(entry.length, _MAX_STRIPS, "strips or tiles")
                held += _STRIP_BYTES * entry.length
            elif entry.tag == Tag.InterColorProfile:
                check_bytes(size, MAX_PROFILE_BYTES, "colour profile")
                held += _COPIES * size
            elif size <= (MAX_TEXT_BYTES if entry.tag == Tag.XMLPacket else MAX_RECORD_BYTES) and size <= room:
                room -= size
                held += _COPIES * size
            else:
                cut.append(entry.place + 2)
                if entry.tag != _LAYERS:
                    left_out.append(too_long("tags", MAX_RECORD_BYTES))
                held += 2 * size * file.is_compressed  # libtiff reads them yet
        if place == file.first:
            following = file.following
    return Survey(
        stream=_without(stream, cut),
        held_bytes=held,
        frames=2 if following not in (0, file.first) else 1,
        left_out=tuple(dict.fromkeys(left_out)),
    )


def check_exif(block: bytes) -> None:
    """Raises `InputError` if the first directory of a block of EXIF holds more than decoders should make objects of."""
    block = block.removeprefix(b"Exif\0\0")
    if len(block) <= _LONG_EXIF_BYTES or block[:4] not in (b"II*\0", b"MM\0*"):
        return
    file = _File(io.BytesIO(block))
    for entry in file.entries(file.first):
        if entry.value + entry.size <= len(block):
            _check_numbers(entry)


def _check_numbers(entry: Entry) -> None:
    if entry.tag in _OF_FEW_NUMBERS:
        check_count(entry.length, _MAX_NUMBERS, "numbers in a tag")


def _without(stream: BinaryIO, places: list[int]) -> BinaryIO:
    if not places:
        return stream
    parts: list[Part] = []
    position = 0
    for place in sorted(set(places)):
        parts += [(position, place), _UNKNOWN_TYPE]
        position = place + len(_UNKNOWN_TYPE)
    parts.append((position, stream.seek(0, os.SEEK_END)))
    return excerpt(stream, parts, in_place=True)


class _File:
    """`following` is the place of the directory behind the one that was read last."""

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        start = stream.read(16).ljust(16, b"\0")
        self._stream, self._order = stream, "<" if start[:2] == b"II" else ">"
        is_big = 43 in (start[2], start[3])
        self.offset_bytes = 8 if is_big else 4
        self._count = struct.Struct(self._order + ("Q" if is_big else "H"))
        self._offset = struct.Struct(self._order + ("Q" if is_big else "I"))
        self._entry = struct.Struct(self._order + ("HHQQ" if is_big else "HHII"))
        self.first = int(self._offset.unpack_from(start, 8 if is_big else 4)[0])
        self.following = 0
        self.is_compressed = False

    def entries(self, place: int) -> Iterator[Entry]:
        if place < _HEADER_BYTES:  # where there is no room for a directory
            return
        (count,) = self._read(self._count, place)
        check_count(count, _MAX_ENTRIES, "tags")
        position = place + self._count.size
        for _ in range(count):
            tag, kind, length, value = self._read(self._entry, position)
            entry = Entry(position, tag, kind, length, value)
            if entry.size <= self.offset_bytes and ELEMENT_BYTES.get(kind, 0) == 2:
                # the number stands in the first bytes of its place
                value = value >> 8 * (self.offset_bytes - 2) if self._order == ">" else value & 0xFFFF
                entry = entry._replace(value=value)
            if tag == Tag.Compression and place == self.first:
                self.is_compressed = entry.value != 1
            yield entry
            position += self._entry.size
        (self.following,) = self._read(self._offset, position)

    def _read(self, numbers: struct.Struct, place: int) -> tuple[int, ...]:
        """Zeros behind the end of the file."""
        if place >= 2**63 - 64:
            return numbers.unpack(bytes(numbers.size))
        self._stream.seek(place)
        return numbers.unpack(self._stream.read(numbers.size).ljust(numbers.size, b"\0"))
