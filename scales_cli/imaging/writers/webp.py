"""WebP, which knows no strips: the picture is collected and encoded at the end.

It is written without loss unless the input was a WebP with loss, or a quality is asked for.
"""

from __future__ import annotations

import io
import queue
import threading
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.writers.strips import rows_of_strip

QUALITY = 95


class WebpWriter:
    def __init__(self, layout: Layout, stream: BinaryIO) -> None:
        self.strip_rows = rows_of_strip(layout)
        self._stream = stream
        self._top = 0
        self._options: dict[str, Any] = {"quality": layout.quality or QUALITY, "exact": True}
        if is_lossless(layout):
            self._options |= {"lossless": True, "quality": 50}  # here: the effort
        if layout.icc_profile is not None:
            self._options["icc_profile"] = layout.icc_profile
        if layout.exif is not None:
            self._options["exif"] = layout.exif
        if layout.xmp is not None:
            self._options["xmp"] = layout.xmp
        self._image = Image.new("RGBA" if layout.has_alpha else "RGB", (layout.width, layout.height))

    def encode(self, rows: Pixels, above: Pixels | None) -> Image.Image:
        image = Image.fromarray(np.ascontiguousarray(rows[..., 0] if rows.shape[2] == 1 else rows))
        return image.convert(self._image.mode)

    def append(self, strip: Image.Image) -> None:
        self._image.paste(strip, (0, self._top))
        self._top += strip.height

    def finish(self) -> None:
        """Encodes on a thread that may be left behind: libwebp takes long for a large picture and hears no signal."""
        done: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        try:
            threading.Thread(target=self._encode_into, args=(done,), daemon=True).start()
        except RuntimeError:  # the system starts no more
            self._encode_into(done)
        result = done.get()
        if isinstance(result, BaseException):
            raise result
        self._stream.write(result)

    def _encode_into(self, done: queue.SimpleQueue[bytes | BaseException]) -> None:
        file = io.BytesIO()
        try:
            self._image.save(file, "WEBP", **self._options)
        except BaseException as error:
            done.put(error)
        else:
            done.put(file.getvalue())


def is_lossless(layout: Layout) -> bool:
    return layout.quality is None and (layout.format is not ImageFormat.WEBP or layout.lossless)
