"""Baseline JPEG (ITU-T T.81) with full chroma: grey or RGB, streamed.

Pillow encodes each strip as a picture of its own in which every row of blocks begins anew (restart markers). Eight
rows of blocks use the markers RST0 to RST6; joined by RST7, the strips are the one scan of the whole picture.
"""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from scales_cli.imaging.iptc import SEGMENT_PREFIX, as_resources
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.texts import COMMENT

QUALITY = 95

_SOF0, _SOS = 0xC0, 0xDA
_RST7, _EOI = b"\xff\xd7", b"\xff\xd9"


class JpegWriter:
    strip_rows = 64  # eight blocks: as many as there are restart markers

    def __init__(self, layout: Layout, stream: BinaryIO) -> None:
        self._height = layout.height
        self._quality = layout.quality or QUALITY
        self._stream = stream
        self._metadata: dict[str, Any] = {}
        if layout.icc_profile is not None:
            self._metadata["icc_profile"] = layout.icc_profile
        if layout.exif is not None:
            self._metadata["exif"] = layout.exif
        if layout.xmp is not None:
            self._metadata["xmp"] = layout.xmp
        if layout.dpi is not None:
            self._metadata["dpi"] = layout.dpi
        self._metadata["extra"] = _segments(layout)

    def encode(self, rows: Pixels, above: Pixels | None) -> tuple[bytes, memoryview]:
        """The header before the first strip, the marker between two, and what is coded of these rows."""
        first = above is None
        stream = io.BytesIO()
        image = Image.fromarray(np.ascontiguousarray(rows[..., 0] if rows.shape[2] == 1 else rows))
        metadata = self._metadata if first else {}
        image.save(stream, "JPEG", quality=self._quality, subsampling=0, restart_marker_rows=1, **metadata)
        data = stream.getbuffer()
        scan, frame = _positions(data)
        header = bytearray(data[:scan])
        header[frame + 5 : frame + 7] = struct.pack(">H", self._height)
        return bytes(header) if first else _RST7, data[scan : -len(_EOI)]

    def append(self, strip: tuple[bytes, memoryview]) -> None:
        for part in strip:
            self._stream.write(part)

    def finish(self) -> None:
        self._stream.write(_EOI)


def _segments(layout: Layout) -> bytes:
    """IPTC records and comments."""
    parts = [] if layout.iptc is None else [(b"\xff\xed", SEGMENT_PREFIX + as_resources(layout.iptc))]
    parts += [(b"\xff\xfe", text.content or b"") for text in layout.texts if text.keyword == COMMENT]
    return b"".join(marker + struct.pack(">H", len(data) + 2) + data for marker, data in parts)


def _positions(data: memoryview) -> tuple[int, int]:
    """Where the scan of a JPEG begins, and in the header before it the frame's segment, which holds the height."""
    position, frame = 2, 0
    while True:
        marker, size = struct.unpack_from(">xBH", data, position)
        if marker == _SOF0:
            frame = position
        position += 2 + size
        if marker == _SOS:
            return position, frame
