"""TIFF 6.0 of 8 or 16 bits a channel, in deflated strips of horizontal differences: grey, grey+alpha, RGB, RGBA.

Pictures that could take more than the 4 GiB which its offsets reach are written as BigTIFF.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np
from PIL.ExifTags import Base as Tag

from scales_cli.imaging.exif import IPTC, Exif
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.tiff_directory import BYTE, LONG, LONG8, RATIONAL, SHORT, UNDEFINED, Tags
from scales_cli.imaging.writers.strips import rows_of_strip

_CLASSIC_BYTES = 2**32 - 2**26  # of samples; the rest is for what deflate may add, the directory and the profile
_LEVEL = 1  # as large as level 4 but for 3 % on enlarged photographs, in 60 % of its time


class TiffWriter:
    """Header, strips, then the directory that points back at them; little endian."""

    def __init__(self, layout: Layout, stream: BinaryIO) -> None:
        self.strip_rows = rows_of_strip(layout)
        self._layout = layout
        self._stream = stream
        self._start = stream.tell()
        self._big = layout.row_bytes * layout.height > _CLASSIC_BYTES
        self._offsets: list[int] = []
        self._lengths: list[int] = []
        stream.write(b"II" + struct.pack("<HHHQ", 43, 8, 0, 0) if self._big else b"II" + struct.pack("<HI", 42, 0))

    def encode(self, rows: Pixels, above: Pixels | None) -> bytes:
        samples = np.array(rows, rows.dtype.newbyteorder("<"), order="C")
        samples[:, 1:] -= rows[:, :-1]
        return zlib.compress(samples.data, _LEVEL)

    def append(self, strip: bytes) -> None:
        self._offsets.append(self._position())
        self._lengths.append(len(strip))
        self._stream.write(strip + bytes(len(strip) % 2))

    def finish(self) -> None:
        said = Exif() if self._layout.exif is None else Exif.parse(self._layout.exif).still_true()
        below, main = said.directories(self._position(), self._tags(), big=self._big)
        self._stream.write(below)
        position = self._position()
        self._stream.write(main)
        self._stream.seek(self._start + (8 if self._big else 4))
        self._stream.write(struct.pack("<Q" if self._big else "<I", position))
        self._stream.seek(0, 2)

    def _position(self) -> int:
        return self._stream.tell() - self._start

    def _tags(self) -> Tags:
        layout = self._layout
        tags: Tags = {
            Tag.ImageWidth: (LONG, (layout.width,)),
            Tag.ImageLength: (LONG, (layout.height,)),
            Tag.BitsPerSample: (SHORT, (8 * layout.dtype.itemsize,) * layout.channels),
            Tag.Compression: (SHORT, (8,)),  # deflate
            Tag.PhotometricInterpretation: (SHORT, (2 if layout.channels >= 3 else 1,)),  # RGB, or black is zero
            Tag.StripOffsets: (LONG8 if self._big else LONG, tuple(self._offsets)),
            Tag.SamplesPerPixel: (SHORT, (layout.channels,)),
            Tag.RowsPerStrip: (LONG, (self.strip_rows,)),
            Tag.StripByteCounts: (LONG, tuple(self._lengths)),
            Tag.Predictor: (SHORT, (2,)),  # horizontal differences
        }
        if layout.dpi is not None:
            for tag, value in zip((Tag.XResolution, Tag.YResolution), layout.dpi, strict=True):
                tags[tag] = (RATIONAL, (round(value * 1000), 1000))
            tags[Tag.ResolutionUnit] = (SHORT, (2,))  # per inch
        if layout.has_alpha:
            tags[Tag.ExtraSamples] = (SHORT, (2,))  # not premultiplied
        if layout.iptc is not None:
            tags[IPTC] = (UNDEFINED, layout.iptc)
        if layout.xmp is not None:
            tags[Tag.XMLPacket] = (BYTE, layout.xmp)
        if layout.icc_profile is not None:
            tags[Tag.InterColorProfile] = (UNDEFINED, layout.icc_profile)
        return tags
