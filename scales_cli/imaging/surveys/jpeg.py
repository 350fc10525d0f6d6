"""A survey of JPEG.

Decoders get no segments of programs but those that are understood here, no comments, and nothing between segments.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from scales_cli.imaging.containers.excerpt import Part, join
from scales_cli.imaging.containers.jpeg import (
    APP0,
    COM,
    EOI,
    FRAMES,
    PROGRESSIVE,
    SOS,
    Segment,
    read_segment,
    read_segments,
)
from scales_cli.imaging.surveys.survey import (
    MAX_EXIF_BYTES,
    MAX_PROFILE_BYTES,
    MAX_RECORD_BYTES,
    MAX_SCANS,
    MAX_SEGMENTS,
    Survey,
    check_bytes,
    check_count,
    excerpt_unless_all,
    too_long,
)
from scales_cli.imaging.surveys.tiff import check_exif

# What segments that are kept begin with, by their marker, and how much there may be.
_KEPT = {
    APP0: ((b"JFIF\0", 2**16, "JFIF"),),
    APP0 + 1: (
        (b"Exif\0\0", MAX_EXIF_BYTES, "EXIF"),
        (b"http://ns.adobe.com/xap/1.0/\0", 2**16, "XMP"),
    ),
    APP0 + 2: (
        (b"ICC_PROFILE\0", MAX_PROFILE_BYTES, "colour profile"),
        (b"MPF\0", 2**16, "list of pictures"),
    ),
    APP0 + 13: ((b"Photoshop 3.0\0", MAX_RECORD_BYTES, "resources of Photoshop"),),
    APP0 + 14: ((b"Adobe", 2**16, "Adobe"),),
    COM: ((b"", MAX_RECORD_BYTES, "comments"),),
}
_LEFT_OUT = {  # what has no place in an enlarged picture
    APP0 + 1: (b"http://ns.adobe.com/xmp/extension/\0", "the extension of its XMP metadata was left out"),
    APP0 + 11: (b"JP", "its content credentials (C2PA) were left out, which hold of the original pixels only"),
}
_NEEDED = ("EXIF", "colour profile")  # without which it would come out turned or in other colours
_MAX_TABLE_BYTES = 2**18  # of all quantization and Huffman tables
_COPIES = 3
_UNKNOWN = 16  # bits are lacking of a number that no scan had
END = bytes((0xFF, EOI))
_MANY_ZEROS, _ZEROS_OF_DATA = 16, 2  # the latter may be pixels: the last byte of them, and what is stuffed behind it
_BLOCK_BYTES = 2**16


def survey_jpeg(stream: BinaryIO) -> Survey:
    segments = _Segments(stream)
    for segment in read_segments(stream):
        segments.add(segment)
        if segment.marker == EOI or (segment.marker == SOS and not segments.must_read_on):
            break
    check_exif(b"".join(segments.exif))  # which the decoder reads at once
    parts, size = segments.parts, stream.seek(0, os.SEEK_END)
    if segments.is_cut:
        parts += [(segments.data, _end_of_data(stream, segments.data, size)), END]
    elif segments.scans:
        join(parts, (segments.data, size))
    return Survey(
        stream=excerpt_unless_all(stream, parts, size),
        held_bytes=_COPIES * sum(segments.kept.values()),
        several_scans=segments.several_scans,
        is_cut=segments.is_cut,
        lacks_scans=segments.is_cut and segments.lacks_scans,
        left_out=tuple(dict.fromkeys(segments.left_out)),
    )


def _end_of_data(stream: BinaryIO, start: int, end: int) -> int:
    """Where the zeros begin that stand for the rest of a file which was not written to its end, else the `end`."""
    position = end
    while position > start:
        first = max(start, position - _BLOCK_BYTES)
        stream.seek(first)
        data = stream.read(position - first).rstrip(b"\0")
        if data:
            position = first + len(data)
            break
        position = first
    return position + _ZEROS_OF_DATA if end - position >= _MANY_ZEROS else end


class _Segments:
    """Sorts the segments of a file up to its first scan, and counts those behind it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.parts: list[Part] = []
        self.kept: dict[str, int] = {}  # bytes by kind
        self.left_out: list[str] = []
        self.exif: list[bytes] = []  # its pieces
        self.scans = 0
        self.data = 0  # where the first scan begins
        self.several_scans = self.must_read_on = False
        self.is_cut = False
        self._stream = stream
        self._count = self._tables = self._components = 0
        self._progressive = False
        self._refined: list[tuple[int, int, int, int]] = []  # component, its numbers [first, last], bits they lack yet

    def add(self, segment: Segment) -> None:
        marker, size = segment.marker, segment.end - segment.start
        self._count += 1
        check_count(self._count, MAX_SEGMENTS, "segments")
        if marker == SOS:
            self._add_scan(segment)
        elif marker == EOI:
            self.is_cut = False
        elif APP0 <= marker < APP0 + 16 or marker == COM:
            if not self.scans and self._is_kept(segment, size):
                join(self.parts, (segment.place, segment.end))
            return
        elif marker in FRAMES:
            self._progressive = marker in PROGRESSIVE
            self._components = (read_segment(self._stream, segment, 6) or b"\0")[-1]
        elif size:
            self._tables += size
            check_bytes(self._tables, _MAX_TABLE_BYTES, "tables")
        if not self.scans:
            join(self.parts, (segment.place, segment.end))

    @property
    def lacks_scans(self) -> bool:
        """Whether a component, or bits of it, have not come yet."""
        lacking: dict[int, list[int]] = {}  # of each component, bits of its 64 numbers
        for component, first, last, bits in self._refined:
            numbers = lacking.setdefault(component, [_UNKNOWN] * 64)
            numbers[first : last + 1] = [bits] * len(numbers[first : last + 1])
        return len(lacking) < self._components or any(map(any, lacking.values()))

    def _add_scan(self, segment: Segment) -> None:
        self.scans += 1
        data = read_segment(self._stream, segment, 12)
        count = data[0] if data else 0
        first, last, bits = (*data[1 + 2 * count :], 0, 0, 0)[:3]
        self._refined += [(component, first, last, bits & 15) for component in data[1 : 1 + 2 * count : 2]]
        check_count(self.scans, MAX_SCANS, "scans")
        if self.scans == 1:
            self.data = segment.place
            self.several_scans = self._progressive or count < self._components
            self.must_read_on = self.several_scans or not self._is_end_marked()
            self.is_cut = self.must_read_on  # until the end is seen

    def _is_end_marked(self) -> bool:
        self._stream.seek(-len(END), os.SEEK_END)
        return self._stream.read(len(END)) == END

    def _is_kept(self, segment: Segment, size: int) -> bool:
        start = read_segment(self._stream, segment, 64)
        prefix, note = _LEFT_OUT.get(segment.marker, (b"", ""))
        if note and start.startswith(prefix):
            self.left_out.append(note)
        for prefix, most, what in _KEPT.get(segment.marker, ()):
            if start.startswith(prefix):
                total = self.kept.get(what, 0) + size
                if what in _NEEDED:
                    check_bytes(total, most, what)
                elif total > most:
                    self.left_out.append(too_long(what, most))
                    return False
                self.kept[what] = total
                if what == "EXIF":
                    self.exif.append(read_segment(self._stream, segment)[len(prefix) :])
                return True
        return False
