"""The anonymous memory that decoding takes at its peak, known beforehand.

The formulas follow what the libraries allocate; the factors were measured, and tests measure them again.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from PIL import Image
from PIL.ExifTags import Base as Tag

from scales_cli.imaging.containers.jpeg2000 import read_jpeg2000
from scales_cli.imaging.containers.jxl import read_jxl
from scales_cli.imaging.picture import Layout
from scales_cli.imaging.readers.samples import Decoder, Samples, strip_pixels, tags_of
from scales_cli.imaging.readers.tiff16 import held_planes
from scales_cli.imaging.surveys.survey import Survey

_SMALL = 2**22  # libraries loaded on demand, and buffers that do not grow with the picture
_PACKED_RECORD_BYTES = 2**27  # libjxl gives up at 64 MiB of one
_CONVERTED_BYTES = 16  # of a pixel on its way from one array to another


def decoding_bytes(survey: Survey, image: Image.Image, layout: Layout, samples: Samples) -> int:
    """What decoding an image takes up to the finished array; the image is opened, but not loaded."""
    return survey.held_bytes + _pixels_bytes(survey, image, layout, samples)


def _pixels_bytes(survey: Survey, image: Image.Image, layout: Layout, samples: Samples) -> int:
    stream = survey.stream
    pixels = layout.width * layout.height
    array = layout.row_bytes * layout.height
    small = _SMALL + _CONVERTED_BYTES * strip_pixels(layout.width)
    if samples.decoder is Decoder.NETPBM:
        return array + small
    if samples.decoder is Decoder.TIFF16:
        planes, count = held_planes(image)
        held = 2 * planes * count * pixels
        small += _CONVERTED_BYTES * strip_pixels(layout.width)  # a strip is copied up to three times
        return held + max(array, stream.seek(0, os.SEEK_END) + _largest_tiff_strip(image) // planes) + small
    if samples.decoder is Decoder.JPEG2000:
        return array + _jpeg2000_bytes(stream, pixels) + small
    if samples.decoder is Decoder.JXL:  # the samples twice, and what the decoder holds of them
        return array + _jxl_bytes(stream, pixels) + stream.seek(0, os.SEEK_END) + small
    if samples.decoder is Decoder.HEIF16:  # planes, and two copies of the samples
        return array + (4 + 4 * samples.channels) * pixels + 3 * stream.seek(0, os.SEEK_END) + small
    held = pixels * _pillow_bytes(image.mode)
    if samples.decoder is Decoder.PNG16:
        decoded = pixels * 2 * (4 if layout.has_alpha else 3)
        return held + 2 * decoded + stream.seek(0, os.SEEK_END) + small  # OpenCV copies its picture once
    if samples.decoder is Decoder.AVIF16:  # planes of 16 bits beside it
        decoded = pixels * 2 * samples.channels
        return (
            held
            + decoded
            + max(array, decoded + 16 * max(pixels, survey.coded_pixels) + 4 * stream.seek(0, os.SEEK_END))
            + small
        )
    return held + max(array, _beside(survey, image, pixels, held)) + small


def _pillow_bytes(mode: str) -> int:
    """What a pixel takes in Pillow's memory."""
    return 1 if mode in ("1", "L", "P") else 2 if mode.startswith("I;16") else 4


def _beside(survey: Survey, image: Image.Image, pixels: int, held: int) -> int:
    """What a decoder holds beside Pillow's image."""
    stream = survey.stream
    if image.format == "WEBP":  # two canvases, a copy of one, and copies of the file
        return 12 * pixels + 3 * stream.seek(0, os.SEEK_END)
    if image.format == "HEIF":  # planes, the samples, and copies of the file
        return 10 * pixels + 3 * stream.seek(0, os.SEEK_END)
    if image.format == "AVIF":  # planes, the frame, its bytes, and copies of the file
        return 12 * max(pixels, survey.coded_pixels) + 3 * stream.seek(0, os.SEEK_END)
    if image.format == "TIFF":
        turned = tags_of(image).get(Tag.Orientation, 1) != 1
        return max(held if turned else 0, _largest_tiff_strip(image))
    layers = getattr(image, "layer", None)
    if layers and (survey.several_scans or survey.is_cut):
        twice = held if survey.is_cut else 0  # to see where it ends
        return twice + (_coefficient_bytes(image.size, layers) if survey.several_scans else 0)
    if image.format in ("BMP", "PPM") and image.tile[0].codec_name != "raw":  # type: ignore[attr-defined]
        return 3 * held  # written in Python
    return 0


def _jpeg2000_bytes(stream: BinaryIO, pixels: int) -> int:
    """The file, and all components in 32 bits, twice."""
    return stream.seek(0, os.SEEK_END) + 8 * len(read_jpeg2000(stream).components) * pixels


def _jxl_bytes(stream: BinaryIO, pixels: int) -> int:
    """Most where a JPEG is made of the file, which is decoded then, and for records, whose length nobody knows."""
    header = read_jxl(stream)
    return (20 if header.is_jpeg else 16 if header.depth > 8 else 9) * pixels + header.has_packed * _PACKED_RECORD_BYTES


def _largest_tiff_strip(image: Image.Image) -> int:
    tags = tags_of(image)
    width, height = image.size
    if tags.get(Tag.Orientation, 1) >= 5:
        width, height = height, width
    rows = tags.get(Tag.TileLength) or min(tags.get(Tag.RowsPerStrip) or height, height)
    columns = tags.get(Tag.TileWidth) or width  # tiles may be larger than the picture
    bits = tags.get(Tag.SamplesPerPixel, 1) * max(tags.get(Tag.BitsPerSample, (8,)))
    return int(rows * columns * bits // 8)


def _coefficient_bytes(size: tuple[int, int], layers: list[tuple[int, int, int, int]]) -> int:
    """Two bytes for each coefficient of all blocks of a JPEG."""
    across, down = max(layer[1] for layer in layers), max(layer[2] for layer in layers)
    mcus = -(-size[0] // (8 * across)) * -(-size[1] // (8 * down))
    return mcus * sum(layer[1] * layer[2] for layer in layers) * 64 * 2
