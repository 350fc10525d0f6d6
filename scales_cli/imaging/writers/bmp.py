"""Windows bitmaps of 8 bits a channel, not compressed: grey (by a palette) or RGB, the lowest row first."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np

from scales_cli.imaging.formats import BMP_HEADER_BYTES
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.writers.strips import rows_of_strip


class BmpWriter:
    """Strips are written from the file's end to its beginning."""

    def __init__(self, layout: Layout, stream: BinaryIO) -> None:
        self.strip_rows = rows_of_strip(layout)
        self._stream = stream
        self._padding = -layout.row_bytes % 4
        palette = b"".join(bytes([i, i, i, 0]) for i in range(256)) if layout.channels == 1 else b""
        start = BMP_HEADER_BYTES + len(palette)
        size = (layout.row_bytes + self._padding) * layout.height
        x, y = (round(value / 0.0254) for value in layout.dpi or (0, 0))
        header = struct.pack("<2sIII", b"BM", start + size, 0, start)
        information = struct.pack(
            "<IiiHHIIiiII", 40, layout.width, layout.height, 1, 8 * layout.channels, 0, size, x, y, len(palette) // 4, 0
        )
        stream.write(header + information + palette)
        self._position = stream.tell() + size

    def encode(self, rows: Pixels, above: Pixels | None) -> bytes:
        lines = rows[::-1, :, ::-1].reshape(len(rows), -1)
        return np.pad(lines, ((0, 0), (0, self._padding))).tobytes()

    def append(self, strip: bytes) -> None:
        self._position -= len(strip)
        self._stream.seek(self._position)
        self._stream.write(strip)

    def finish(self) -> None:
        self._stream.seek(0, 2)
