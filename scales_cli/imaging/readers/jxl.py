"""JPEG XL, decoded by libjxl as pillow-jxl-plugin brings it: upright, grey of up to 16 bits, color of 8."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from scales_cli.errors import InputError
from scales_cli.imaging.containers.jxl import CODESTREAM, CONTAINER, read_jxl, read_records
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import Rows, unpremultiplied

_TRANSPOSED = 5  # from this orientation on


class JxlFile(ImageFile.ImageFile):
    """A file's header; the plugin's own class decodes the picture to know as much, however large it is."""

    format = "JXL"
    format_description = "JPEG XL"

    def _open(self) -> None:
        self.header = read_jxl(self.fp)  # type: ignore[arg-type]
        if self.header.is_float:
            self._mode = "F"
        elif self.header.has_black:
            raise InputError("CMYK pictures in JPEG XL are not supported", "convert it to RGB first")
        else:
            mode = ("L" if self.header.is_grey else "RGB") + "A" * self.header.has_alpha
            self._mode = "I;16" if mode == "L" and self.header.depth > 8 else mode
        width, height = self.header.size
        self._size = (height, width) if self.header.orientation >= _TRANSPOSED else (width, height)
        self.info.update(read_records(self.fp))  # type: ignore[arg-type]
        self.is_animated, self.n_frames = self.header.is_animated, 1 + self.header.is_animated
        self.pixels: NDArray[Any] | None = None
        self.tile = []

    def load(self) -> Any:
        if self.pixels is None:
            self.pixels = self._decode()
        return None

    def _decode(self) -> NDArray[Any]:
        from pillow_jxl import Decoder

        assert self.fp is not None
        self.fp.seek(0)
        try:
            is_jpeg, _, data, profile, _ = Decoder(num_threads=0)(self.fp.read())
        except Exception as error:  # which speaks of how to build the library
            raise InputError("the picture is truncated or damaged", "get the file again") from error
        width, height = self.size
        if is_jpeg:
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
                upright = ImageOps.exif_transpose(image)
                self.info |= {name: upright.info[name] for name in ("exif", "icc_profile") if name in upright.info}
                pixels = np.asarray(upright.convert(self.mode))
        else:
            dtype = np.dtype(np.uint16 if self.header.depth > 8 and self.header.is_grey else np.uint8)
            if profile:
                self.info["icc_profile"] = profile
            pixels = np.frombuffer(data, dtype)
        if pixels.size != width * height * len(self.getbands()):
            raise InputError("its picture is not what its header says", "get the file again")
        return pixels.reshape(height, width, -1)


def open_rows(image: Image.Image) -> tuple[Rows, str | None]:
    """The rows of a loaded image, and a note if they have fewer bits than the file."""
    assert isinstance(image, JxlFile)
    assert image.pixels is not None
    pixels, header = image.pixels, image.header

    def rows(top: int, bottom: int) -> Pixels:
        strip = pixels[top:bottom]
        return unpremultiplied(strip) if header.is_premultiplied else strip

    lost = header.depth > 8 and not header.is_grey
    return rows, f"its {header.depth} bits a channel were read as 8" if lost else None


def is_jxl(start: bytes) -> bool:
    return start.startswith((CODESTREAM, CONTAINER))
