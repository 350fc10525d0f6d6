"""The directories of a TIFF file: a chain, each with a picture, and those that lie below them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from PIL.ExifTags import Base as Tag

from scales_cli.imaging.containers.excerpt import excerpt
from scales_cli.imaging.tiff_directory import DirectoryReader, Entries

MAX_DIRECTORIES = 4096
_MAX_BELOW = 64  # of one directory
_MAX_BYTES = 2**22  # of what is read

DNG_VERSION = 50706
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # of SubfileType
_TAGS = frozenset(
    {Tag.NewSubfileType, Tag.SubfileType, Tag.PhotometricInterpretation, Tag.Compression, Tag.SubIFDs, DNG_VERSION}
)


@dataclass(frozen=True)
class Directory:
    """What a directory at a place of the file says of its picture; `depth` is 0 in the chain, and 1 below it."""

    place: int
    depth: int
    is_reduced: bool = False
    is_mask: bool = False
    photometry: int | None = None
    compression: int | None = None
    is_dng: bool = False

    @property
    def is_main(self) -> bool:
        """Whether it holds a picture of full size."""
        return not self.is_reduced and not self.is_mask


def read_directories(stream: BinaryIO) -> Iterator[Directory]:
    """The directories of the chain, each followed by those below it; none of a file that is no TIFF."""
    stream.seek(0)
    if stream.read(2) not in (b"II", b"MM"):
        return
    try:
        reader = DirectoryReader(stream, _MAX_BYTES)
    except ValueError:
        return
    position, seen, count = reader.first, set[int](), 0
    while position and position not in seen and count < MAX_DIRECTORIES:
        seen.add(position)
        count += 1
        entries = reader.entries(position, only=_TAGS)
        yield _directory(reader, entries, position, 0)
        below = reader.numbers(entries[Tag.SubIFDs]) if Tag.SubIFDs in entries else ()
        for place in below[:_MAX_BELOW]:
            count += 1
            yield _directory(reader, reader.entries(place, only=_TAGS), place, 1)
        position = reader.following(position)


def starting_at(stream: BinaryIO, place: int) -> BinaryIO:
    """The file with the directory at a place as its first."""
    stream.seek(0)
    head = stream.read(8)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    start, size = (8, 8) if 43 in head[2:4] else (4, 4)
    end = stream.seek(0, os.SEEK_END)
    return excerpt(stream, [(0, start), place.to_bytes(size, order), (start + size, end)], in_place=True)


def _directory(reader: DirectoryReader, entries: Entries, place: int, depth: int) -> Directory:
    def value(tag: int) -> int | None:
        numbers = reader.numbers(entries[tag]) if tag in entries else ()
        return numbers[0] if numbers else None

    bits = value(Tag.NewSubfileType) or 0
    return Directory(
        place,
        depth,
        bool(bits & _REDUCED) or value(Tag.SubfileType) == _OLD_REDUCED,
        bool(bits & _MASK),
        value(Tag.PhotometricInterpretation),
        value(Tag.Compression),
        DNG_VERSION in entries,
    )
