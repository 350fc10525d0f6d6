"""Pillow's plugins, asked for a file directly.

`Image.open` asks them, too, but minds limits and gives warnings that belong to the whole process: what another thread
does with Pillow would decide about our pictures, or ours about its.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from scales_cli.imaging.formats import PILLOW_NAMES

_PREFIX_BYTES = 16  # which plugins know their files by


def identify(stream: BinaryIO) -> Image.Image:
    """The image of the first plugin that takes a file, not loaded, of whatever size.

    Raises `UnidentifiedImageError` if there is none, or whatever a plugin raises on a damaged file.
    """
    Image.preinit()
    stream.seek(0)
    prefix = stream.read(_PREFIX_BYTES)
    for name in PILLOW_NAMES:
        if name not in Image.OPEN:
            Image.init()
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is None:
            continue
        try:
            if accept is not None and accept(prefix) is not True:
                continue
            stream.seek(0)
            image: Image.Image = _OURS.get(name, factory)(stream, "")
        except (SyntaxError, IndexError, TypeError, struct.error):  # by which plugins say that it is not theirs
            continue
        return image
    raise UnidentifiedImageError


class _Tiff(TiffImagePlugin.TiffImageFile):
    def load_prepare(self) -> None:
        """As the plugin's, without its limit."""
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size, None).im
        ImageFile.ImageFile.load_prepare(self)


class _WebP(WebPImagePlugin.WebPImageFile):
    def _open(self) -> None:
        """As the plugin's, which minds its limit if the first bytes that it reads hold the picture's size."""
        stream = self.fp
        self.fp = _Hesitant(stream)  # type: ignore[assignment]
        super()._open()
        self.fp = stream


class _Hesitant:
    """A file of which at most 16 bytes are read at a time, or all that is left."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return bytes(self._stream.read(min(size, _PREFIX_BYTES)))


_OURS: dict[str, Any] = {"TIFF": _Tiff, "WEBP": _WebP}
