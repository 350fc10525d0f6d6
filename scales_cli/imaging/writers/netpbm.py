"""Binary PGM and PPM of 8 or 16 bits a channel."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.writers.strips import rows_of_strip

_MAGIC = {1: "P5", 3: "P6"}


class NetpbmWriter:
    def __init__(self, layout: Layout, stream: BinaryIO) -> None:
        self.strip_rows = rows_of_strip(layout)
        self._stream = stream
        maximum = np.iinfo(layout.dtype).max
        stream.write(f"{_MAGIC[layout.channels]}\n{layout.width} {layout.height}\n{maximum}\n".encode())

    def encode(self, rows: Pixels, above: Pixels | None) -> Pixels:
        return np.ascontiguousarray(rows, rows.dtype.newbyteorder(">"))

    def append(self, strip: Pixels) -> None:
        self._stream.write(strip.data)

    def finish(self) -> None:
        pass
