"""WebP, which knows no strips: the picture is collected and encoded at the end.

It is written without loss unless the input was a WebP with loss, or a quality is asked for.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from scales_cli.imaging.exif import PREFIX
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.writers.strips import rows_of_strip
from scales_cli.system.threads import interruptible

_QUALITY = 95


class WebpWriter:
    def __init__(self, layout: Layout, stream: BinaryIO) -> None:
        self.strip_rows = rows_of_strip(layout)
        self._stream = stream
        self._top = 0
        self._options = save_options(layout)
        self._image = Image.new("RGBA" if layout.has_alpha else "RGB", (layout.width, layout.height))

    def encode(self, rows: Pixels, above: Pixels | None) -> Image.Image:
        image = Image.fromarray(np.ascontiguousarray(rows[..., 0] if rows.shape[2] == 1 else rows))
        return image.convert(self._image.mode)

    def append(self, strip: Image.Image) -> None:
        self._image.paste(strip, (0, self._top))
        self._top += strip.height

    def finish(self) -> None:
        file = io.BytesIO()
        interruptible(lambda: self._image.save(file, "WEBP", **self._options))
        self._stream.write(file.getvalue())


def save_options(layout: Layout) -> dict[str, Any]:
    """What Pillow is to be told of a picture or of an animation."""
    options: dict[str, Any] = {"quality": layout.quality or _QUALITY, "exact": True}
    if is_lossless(layout):
        options |= {"lossless": True, "quality": 50}  # here: the effort
    for name in ("icc_profile", "exif", "xmp"):
        if (value := getattr(layout, name)) is not None:
            options[name] = value.removeprefix(PREFIX)  # of EXIF, which Pillow takes off still pictures' only
    return options


def is_lossless(layout: Layout) -> bool:
    return layout.quality is None and (layout.format is not ImageFormat.WEBP or layout.lossless)
