"""16-bit colour and grey with alpha from TIFF files: contiguous or planar, alpha premultiplied or not.

Pillow reduces colour to 8 bits, but decodes 16 of grey. So the strips or tiles are given to it as those of a grey
picture: of one sample after the other, several times as wide, or plane by plane. The differences of horizontal
prediction, which depend on the number of samples, and the order of bytes are left to us.

It is written by hand because no library reads the same files. Of 96 layouts (grey with alpha, RGB and RGBA, contiguous
or planar, strips or tiles, both orders of bytes, several compressions) OpenCV 4.13 opens none that is planar and none
of grey with alpha. tifffile opens all of them, but LZW, the most frequent compression, only together with imagecodecs,
a wheel of 25 MiB; it takes no less memory (96 MiB for 3000 x 2000 pixels in RGB, deflated, where this takes 74).
"""

from __future__ import annotations

import io
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.ExifTags import Base as Tag

from scales_cli.errors import InputError
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import Rows, tags_of, unpremultiplied
from scales_cli.imaging.tiff_directory import LONG, SHORT, Tags, directory

_PREMULTIPLIED = 1  # what ExtraSamples says of such alpha
_STORED, _PACK_BITS = 1, 32773
_DIFFERENCED = (5, 8, 32946, 34925, 50000)  # where a predictor counts: LZW, deflate (two numbers), LZMA, Zstandard

# Pillow knows no grey with alpha of 16 bits, and would not open a file of it. Nothing decodes these raw modes.
for _prefix in (b"II", b"MM"):
    for _extra, _mode in ((0, "L"), (1, "LA"), (2, "LA")):
        _key = (_prefix, 1, (1,), 1, (16, 16), (_extra,))
        TiffImagePlugin.OPEN_INFO.setdefault(_key, (_mode, f"{_mode};16L"))


def open_rows(stream: BinaryIO, image: Image.Image) -> Rows:
    """The rows of an image that is not loaded, as they are stored."""
    return _Planes(stream, image).rows


class _Planes:
    """The grey pictures that stand for a file's image."""

    def __init__(self, stream: BinaryIO, image: Image.Image) -> None:
        self._tags: Any = tags_of(image)
        self._swapped = self._tags.prefix == b"MM"
        self._channels = len(image.getbands())
        self._has_alpha = self._channels in (2, 4)
        self._width, self._height = self._tags[Tag.ImageWidth], self._tags[Tag.ImageLength]
        compression = self._tags.get(Tag.Compression, _STORED)
        if compression not in (_STORED, _PACK_BITS, *_DIFFERENCED):
            raise _refusal()
        self._block = 0  # the columns over which differences run
        if compression in _DIFFERENCED and (predictor := self._tags.get(Tag.Predictor, 1)) != 1:
            if predictor != 2:
                raise _refusal()
            self._block = self._tags.get(Tag.TileWidth) or self._width
        self._parts = [self._decode(stream, compression, plane) for plane in range(held_planes(image)[0])]

    def rows(self, top: int, bottom: int) -> Pixels:
        parts = [np.asarray(part.crop((0, top, part.width, bottom))) for part in self._parts]
        pixels = np.stack(parts, axis=2) if len(parts) > 1 else parts[0].reshape(bottom - top, self._width, -1)
        if self._swapped:
            pixels = pixels.byteswap()
        if self._block:
            pixels = pixels.copy()
            for left in range(0, self._width, self._block):
                block = pixels[:, left : left + self._block]
                np.add.accumulate(block, axis=1, dtype=np.uint16, out=block)
        pixels = pixels[..., : self._channels]
        if self._tags.get(Tag.PhotometricInterpretation) == 0:  # white, which grey without alpha only may be
            return 65535 - pixels
        if self._has_alpha and self._tags.get(Tag.ExtraSamples) == (_PREMULTIPLIED,):
            return unpremultiplied(pixels)
        return pixels

    def _decode(self, stream: BinaryIO, compression: int, plane: int) -> Image.Image:
        """A plane, or all samples if they are not in planes, as a grey picture."""
        tags, samples = self._tags, self._tags.get(Tag.SamplesPerPixel, 1)
        is_tiled, is_planar = Tag.TileOffsets in tags, tags.get(Tag.PlanarConfiguration, 1) == 2
        across, down = self._width, min(tags.get(Tag.RowsPerStrip, 2**32), self._height)
        if is_tiled:
            across, down = tags[Tag.TileWidth], tags[Tag.TileLength]
        count = -(-self._width // across) * -(-self._height // down)
        chosen = slice(plane * count, (plane + 1) * count)
        places_tag, lengths_tag = (
            (Tag.TileOffsets, Tag.TileByteCounts) if is_tiled else (Tag.StripOffsets, Tag.StripByteCounts)
        )
        offsets, lengths = tags[places_tag][chosen], tags[lengths_tag][chosen]
        damage = InputError("the picture is truncated or damaged", "get the file again")
        if not len(offsets) == len(lengths) == count or sum(lengths) > stream.seek(0, io.SEEK_END):
            raise damage
        factor = 1 if is_planar else samples
        places = list(accumulate(lengths, initial=8))
        entries: Tags = {
            Tag.ImageWidth: (LONG, (self._width * factor,)),
            Tag.ImageLength: (LONG, (self._height,)),
            Tag.BitsPerSample: (SHORT, (16,)),
            Tag.Compression: (SHORT, (compression,)),
            Tag.PhotometricInterpretation: (SHORT, (1,)),
            Tag.SamplesPerPixel: (SHORT, (1,)),
            places_tag: (LONG, tuple(places[:-1])),
            lengths_tag: (LONG, tuple(lengths)),
            Tag.TileLength if is_tiled else Tag.RowsPerStrip: (LONG, (down,)),
        }
        if is_tiled:
            entries[Tag.TileWidth] = (LONG, (across * factor,))
        with io.BytesIO() as file:
            file.write(b"II*\0" + places[-1].to_bytes(4, "little"))
            for offset, length in zip(offsets, lengths, strict=True):
                stream.seek(offset)
                file.write(stream.read(length))
            if file.tell() != places[-1]:
                raise damage
            file.write(directory(entries, places[-1]))
            file.seek(0)
            part = TiffImagePlugin.TiffImageFile(file)  # not by `Image.open`, whose limits are not ours
            part.load()
        return part


def held_planes(image: Image.Image) -> tuple[int, int]:
    """How many grey pictures stand for an image, and of how many samples each."""
    tags = tags_of(image)
    if tags.get(Tag.PlanarConfiguration, 1) == 2:
        return len(image.getbands()), 1
    return 1, tags.get(Tag.SamplesPerPixel, 1)


def _refusal() -> InputError:
    return InputError("this kind of 16-bit TIFF is not supported", "save it without compression or with LZW")
