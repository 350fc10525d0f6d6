"""The bytes of a file from rows of pixels.

One writer per format serves every size. It cuts the picture into strips of a height that depends on the layout alone,
so that the bytes depend neither on how many rows come at a time nor on who encodes the strips.
"""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from scales_cli.errors import OutputError, ScalesError
from scales_cli.imaging.carriage import fit_records
from scales_cli.imaging.colors import fit_colors
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.writers.bmp import BmpWriter
from scales_cli.imaging.writers.jpeg import JpegWriter
from scales_cli.imaging.writers.netpbm import NetpbmWriter
from scales_cli.imaging.writers.png import PngWriter
from scales_cli.imaging.writers.strips import StripWriter, rows_of_strip
from scales_cli.imaging.writers.tiff import TiffWriter
from scales_cli.imaging.writers.webp import WebpWriter, is_lossless

_WRITERS: dict[ImageFormat, Callable[[Layout, BinaryIO], StripWriter]] = {
    ImageFormat.PNG: PngWriter,
    ImageFormat.JPEG: JpegWriter,
    ImageFormat.WEBP: WebpWriter,
    ImageFormat.TIFF: TiffWriter,
    ImageFormat.BMP: BmpWriter,
    ImageFormat.PPM: NetpbmWriter,
}

_FITTED_PIXELS = 2**16
_WHITE = (255, 255, 255)
_SMALL = 2**22  # libraries loaded on demand, and buffers that do not grow with the picture


class Map(Protocol):
    """Applies a function to slices of work, on whatever threads, and gives the results in order."""

    def __call__(self, function: Callable[[Any], Any], slices: Iterable[Any], /) -> Iterable[Any]: ...


def fit_to_format(layout: Layout, image_format: ImageFormat) -> Layout:
    """The layout as `image_format` can hold it; what is lost is said in its notes."""
    image_format.check_size(layout.width, layout.height, layout.channels)
    channels, dtype, notes = layout.channels, layout.dtype, list(layout.notes)
    if layout.has_alpha and (layout.background is not None or not image_format.alpha):
        channels = 3 if len(set(layout.background or ())) > 1 else channels - 1  # a colour makes one of grey
        if layout.background is None:
            notes.append(f"{image_format.name} holds no transparency, which was replaced by white")
    if dtype == np.uint16 and not image_format.sixteen_bit:
        dtype = np.dtype(np.uint8)
        notes.append(f"{image_format.name} holds 8 bits a channel, 16 were rounded to 8")
    fitted = dataclasses.replace(layout, channels=channels, dtype=dtype, notes=tuple(notes))
    if image_format is ImageFormat.WEBP and channels <= 2:
        channels += 2  # it makes colours of grey
    return fit_statements(fitted, image_format, channels)


def fit_statements(layout: Layout, image_format: ImageFormat, channels: int) -> Layout:
    """The layout with what a file of `image_format`, of so many channels, can say beside its pixels."""
    fitted = fit_colors(_fit_quality(layout, image_format), image_format, channels)
    return fit_records(fitted, image_format)


def _fit_quality(layout: Layout, image_format: ImageFormat) -> Layout:
    """The layout without a quality that `image_format` has none of."""
    if layout.quality is None or image_format in (ImageFormat.JPEG, ImageFormat.WEBP):
        return layout
    note = f"{image_format.name} is always without loss, the quality of {layout.quality} was not used"
    return dataclasses.replace(layout, quality=None, notes=(*layout.notes, note))


def open_writer(layout: Layout, image_format: ImageFormat, stream: BinaryIO, map: Map = builtins.map) -> RowWriter:
    """Begins a file on a seekable stream, which is the caller's to close."""
    return RowWriter(layout, image_format, stream, map)


def encoding_bytes(layout: Layout, image_format: ImageFormat, slices: int = 1) -> int:
    """What a `RowWriter` holds beside the rows it is given, while `slices` strips are encoded at once."""
    fitted = fit_to_format(layout, image_format)
    if image_format is ImageFormat.WEBP:
        pixels = layout.width * layout.height
        return pixels * _webp_bytes(fitted) + _SMALL
    rows = JpegWriter.strip_rows if image_format is ImageFormat.JPEG else rows_of_strip(fitted)
    rows = min(rows, layout.height)
    slices = min(slices, -(-layout.height // rows))
    factor = 3 if image_format is ImageFormat.JPEG else 12
    factor += (fitted.channels, fitted.dtype) != (layout.channels, layout.dtype)
    return rows * layout.row_bytes + slices * factor * rows * fitted.row_bytes + _SMALL


class RowWriter:
    """Takes a picture's rows as they come. `layout` says what is written of the layout that was given."""

    def __init__(self, layout: Layout, image_format: ImageFormat, stream: BinaryIO, map: Map) -> None:
        self.layout = fit_to_format(layout, image_format)
        self._given = layout
        self._format = image_format
        self._map = map
        self._top = 0  # of the strip that is being filled
        self._filled = 0
        self._strip: Pixels | None = None  # where rows wait that do not fill one
        self._above: Pixels | None = None  # the row over the strip
        with encoding_errors(image_format):
            self._writer = _WRITERS[image_format](self.layout, stream)

    def write(self, rows: Pixels) -> None:
        """The next rows, [n, W, C] of the layout that was given, any n. They may be changed afterwards."""
        given = self._given
        if rows.shape[1:] != (given.width, given.channels) or rows.dtype != given.dtype:
            raise ValueError(
                f"rows of {rows.dtype} {list(rows.shape)} do not belong to {given.kind} {given.width} wide"
            )
        if self._top + self._filled + len(rows) > given.height:
            raise ValueError(f"more than the {given.height} rows of the picture")
        with encoding_errors(self._format):
            for strip in self._map(self._encode, self._strips(rows)):
                self._writer.append(strip)
            if self._above is not None:
                self._above = self._above.copy()

    def close(self) -> None:
        """Finishes the file after the last row."""
        if self._top != self._given.height:
            raise ValueError(f"{self._top + self._filled} rows were written of {self._given.height}")
        with encoding_errors(self._format):
            self._writer.finish()

    def _strips(self, rows: Pixels) -> Iterator[tuple[Pixels, Pixels | None]]:
        """The strips that are whole with these rows, each with the row above it."""
        while len(rows):
            height = min(self._writer.strip_rows, self._given.height - self._top)
            if not self._filled and len(rows) >= height:
                strip, rows = rows[:height], rows[height:]
            else:
                if self._strip is None:
                    self._strip = np.empty((height, *rows.shape[1:]), rows.dtype)
                taken = rows[: height - self._filled]
                self._strip[self._filled : self._filled + len(taken)] = taken
                self._filled += len(taken)
                rows = rows[len(taken) :]
                if self._filled < height:
                    return
                strip, self._strip, self._filled = self._strip, None, 0
            above, self._above = self._above, strip[-1:]
            self._top += height
            yield strip, above

    def _encode(self, work: tuple[Pixels, Pixels | None]) -> Any:
        strip, above = work
        return self._writer.encode(self._fitted(strip), None if above is None else self._fitted(above))

    def _fitted(self, rows: Pixels) -> Pixels:
        """Rows as the format can hold them, converted few at a time: the values between take up to eight times that."""
        layout = self.layout
        flattened, rounded = rows.shape[2] != layout.channels, rows.dtype != layout.dtype
        if not (flattened or rounded):
            return rows
        fitted = np.empty((len(rows), layout.width, layout.channels), layout.dtype)
        step = max(1, _FITTED_PIXELS // layout.width)
        for top in range(0, len(rows), step):
            part = rows[top : top + step]
            part = _flatten(part, layout.background or _WHITE)[..., : layout.channels] if flattened else part
            fitted[top : top + step] = to_8_bit(part) if rounded else part
        return fitted


@contextmanager
def encoding_errors(image_format: ImageFormat) -> Iterator[None]:
    """Turns what an encoder raises into one line; a full disk stays an OSError."""
    try:
        yield
    except (ScalesError, OSError, MemoryError):
        raise
    except Exception as error:
        raise OutputError(f"the result cannot be written as {image_format.name}: {error}", "choose PNG") from error


def to_8_bit(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """0..65535 to 0..255, rounded; 8-bit pixels v that were stretched to 257 v come back exactly."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _flatten(pixels: Pixels, background: tuple[int, int, int]) -> NDArray[Any]:
    """Pixels over a background of 0..255, without the alpha channel."""
    maximum = np.iinfo(pixels.dtype).max
    color, alpha = pixels[..., :-1].astype(np.uint64), pixels[..., -1:].astype(np.uint64)
    below = np.array(background, np.uint64) * (maximum // 255)
    blended = (color * alpha + below * (maximum - alpha) + maximum // 2) // maximum
    return blended.astype(pixels.dtype)


def _webp_bytes(layout: Layout) -> int:
    """What a pixel takes: Pillow's image and the encoder, for the worst of pictures (noise)."""
    if is_lossless(layout):
        return 44
    return 46 if layout.has_alpha else 36
