"""A `Picture` from a file.

Pillow reads the header first, limits are checked, then the picture is decoded (see `readers`) and taken over in strips,
straight to where EXIF's orientation puts them: neither a conversion nor a turn holds it twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO, Self

import numpy as np
from PIL import Image, UnidentifiedImageError

from scales_cli.errors import InputError, MemoryLimitError, PixelLimitError, ScalesError, UnreadableError, hint_of
from scales_cli.imaging.colors import Colors, read_colors, read_profile
from scales_cli.imaging.containers import riff
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS, READABLE, ImageFormat, format_named
from scales_cli.imaging.further_pictures import at_main_picture, read_left_out
from scales_cli.imaging.metadata import read_dpi, read_orientation, read_records
from scales_cli.imaging.output_options import Metadata
from scales_cli.imaging.picture import Layout, Picture, check_sides
from scales_cli.imaging.plugins import identify
from scales_cli.imaging.raw import check_developed
from scales_cli.imaging.readers import avif16, cmyk, heif, jpeg2000, jxl, netpbm, pillow, png16, tiff16
from scales_cli.imaging.readers.cut import check_end, how_to_salvage, salvaged
from scales_cli.imaging.readers.extras import open_by_extra
from scales_cli.imaging.readers.footprint import decoding_bytes
from scales_cli.imaging.readers.samples import (
    Decoder,
    Rows,
    Samples,
    left_out_channels,
    read_samples,
)
from scales_cli.imaging.refusals import refuse
from scales_cli.imaging.surveys.dispatch import survey_file
from scales_cli.imaging.surveys.survey import Survey
from scales_cli.imaging.surveys.tiff import check_exif
from scales_cli.imaging.upright import cropped, read_crop, take_over
from scales_cli.imaging.wear import vp8
from scales_cli.imaging.wear.tables import read_jpeg_quality

# What decoders say of files that end too early.
_TRUNCATED = re.compile("truncated|not enough (image )?data|reached eof|end of file|expected to read|too small", re.I)

logging.getLogger("PIL").addHandler(logging.NullHandler())  # or it speaks on standard error before it raises


PackedHeader = tuple[str, int, int, int, int, bool, int, int, int]


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a picture before it is decoded.

    `layout` describes the decoded, upright picture, without its metadata and its coded quality. `decoding_bytes` is the
    anonymous memory that decoding takes at its peak, the pixels included, but not the bytes of a file that is in memory
    already.
    """

    layout: Layout
    orientation: int
    decoding_bytes: int
    frames: int = 1  # of an animation

    @classmethod
    def unpacked(cls, packed: PackedHeader) -> Self:
        name, width, height, channels, sample_bytes, lossless, orientation, needed, frames = packed
        dtype, image_format = np.dtype(f"u{sample_bytes}"), ImageFormat[name]
        layout = Layout(width, height, channels, dtype, format=image_format, lossless=lossless)
        return cls(layout, orientation, needed, frames)

    def packed(self) -> PackedHeader:
        """All of it in little, for many that are sent and kept."""
        layout = self.layout
        kind = (layout.format.name, layout.width, layout.height, layout.channels, layout.dtype.itemsize)
        return (*kind, layout.lossless, self.orientation, self.decoding_bytes, self.frames)

    @property
    def format(self) -> ImageFormat:
        return self.layout.format

    @property
    def width(self) -> int:
        return self.layout.width

    @property
    def height(self) -> int:
        return self.layout.height

    @property
    def is_grey(self) -> bool:
        return self.layout.channels <= 2

    @property
    def has_alpha(self) -> bool:
        return self.layout.has_alpha


def read_header(stream: BinaryIO, max_pixels: int = MAX_OUTPUT_PIXELS) -> Header:
    with decoding_errors():
        check_developed(stream)
        survey = survey_file(at_main_picture(stream))
        stream, image = survey.stream, open_image(survey.head or survey.stream, survey, max_pixels)
        samples = read_samples(stream, image)
        image_format = _format(image)
        orientation = read_orientation(image)
        left, top, right, bottom = read_crop(stream, image) or (0, 0, *image.size)
        width, height = right - left, bottom - top
        if orientation >= 5 and image.format != "TIFF":  # which Pillow turns itself
            width, height = height, width
        lossless = _is_lossless(stream, image_format)
        layout = Layout(width, height, samples.channels, samples.dtype, format=image_format, lossless=lossless)
        needed = decoding_bytes(survey, image, layout, samples)
        return Header(layout, orientation, needed, count_frames(survey, image) if image_format.animation else 1)


def decode_image(
    stream: BinaryIO,
    max_pixels: int = MAX_OUTPUT_PIXELS,
    metadata: Metadata = Metadata.SAFE,
    *,
    salvage: bool = False,
) -> Picture:
    """The picture in an open file or an `io.BytesIO`.

    Every defect is an `InputError`, but that a picture is cut off if what is left of it is to be salvaged; pictures of
    more than `max_pixels` are refused before decoding.
    """
    with (
        decoding_errors(stream, salvage=salvage),
        salvaged(stream, max_pixels) if salvage else nullcontext((stream, None)) as (stream, missing),
    ):
        check_developed(stream)
        file, survey = stream, survey_file(at_main_picture(stream))
        stream, image = survey.stream, open_image(survey.stream, survey, max_pixels)
        image_format, notes = _format(image), list(survey.notes)
        if metadata is Metadata.KEEP:
            notes += survey.left_out
        samples = read_samples(stream, image)
        lossless, quality = _is_lossless(stream, image_format), _coded_quality(stream, image)
        on_side = image.format == "TIFF" and read_orientation(image) >= 5
        if samples.loads:
            image.load()
        if survey.is_cut:
            missing = check_end(survey, image, salvage=salvage)
        if missing is not None:
            notes.append(missing)
        orientation = read_orientation(image)
        height = image.width if on_side and not samples.loads else image.height
        dpi = read_dpi(image)
        if dpi is not None and (on_side or orientation >= 5):
            dpi = dpi[::-1]
        records = read_records(file if image_format is ImageFormat.GIF else stream, image, metadata)
        pictures = read_left_out(file, image, count_frames(survey, image))
        said = (pictures, left_out_channels(image), *records.notes)
        notes += [note for note in said if note is not None]
        rows, note = _open_rows(stream, image, samples)
        colors = Colors() if samples.is_cmyk else read_colors(file, image, samples.channels)
        notes += [said for said in (note, colors.note) if said is not None]
        crop = read_crop(stream, image)
        del image  # `rows` holds what of it is needed
        if crop is not None:
            rows, height = cropped(rows, crop), crop[3] - crop[1]
        pixels = take_over(rows, height, orientation)
        return Picture(
            pixels,
            format=image_format,
            lossless=lossless,
            coded_quality=quality,
            icc_profile=colors.profile,
            color_chunks=colors.chunks,
            dpi=dpi,
            exif=records.exif,
            xmp=records.xmp,
            iptc=records.iptc,
            texts=records.texts,
            notes=tuple(notes),
        )


@contextmanager
def decoding_errors(stream: BinaryIO | None = None, *, salvage: bool = False) -> Iterator[None]:
    """Turns whatever a decoder raises into one line. Decoders raise nearly every class on damaged files.

    Of the file in a `stream`, that says whether what is left of it could be salvaged, unless it is to be.
    """
    try:
        yield
    except ScalesError as error:
        if salvage and "truncated" in error.message:
            error.hint += how_to_salvage(stream, salvage=True)
        raise
    except MemoryError as error:
        raise MemoryLimitError("not enough memory to decode the picture", "use a smaller picture") from error
    except Image.DecompressionBombError as error:
        raise InputError("the picture is too large", "cut or shrink it first") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # decoders give none
            raise UnreadableError(f"cannot be read: {error.strerror}", hint_of(error, "check the file")) from error
        reason = str(error).strip()
        advice = how_to_salvage(stream, salvage=salvage)
        if _TRUNCATED.search(reason):
            raise InputError("the picture is truncated", f"get the file again{advice}") from error
        if reason == "could not create decoder object":  # of WebP
            raise InputError("the picture is truncated or damaged", f"get the file again{advice}") from error
        is_for_people = isinstance(error, (OSError, SyntaxError, ValueError, RuntimeError, EOFError))
        if not reason or not is_for_people or reason.startswith("decoder error"):  # and a number of Pillow's own
            reason = "its data cannot be decoded"
        hint = f"get the file again{advice}" if advice else "open it in an image editor and save it again"
        raise InputError(f"damaged or unsupported picture: {reason}", hint) from error


def count_frames(survey: Survey, image: Image.Image) -> int:
    """The frames of an animation, or the pages, without the picture that viewers show if they cannot animate a PNG."""
    by_decoder = image.format in ("AVIF", "HEIF", "JXL")
    return int(getattr(image, "n_frames", 1)) if by_decoder else survey.frames


def open_image(stream: BinaryIO, survey: Survey, max_pixels: int) -> Image.Image:
    """An image that is not loaded yet, of an acceptable size; `stream` is one of the survey's."""
    try:
        image = open_by_extra(stream) or identify(stream)
    except UnidentifiedImageError:
        refuse(stream)
    check_exif(image.info.get("exif") or b"")
    if survey.profile is not None:
        image.info["icc_profile"] = survey.profile
    width, height = image.size
    if min(width, height) < 1:
        raise InputError(f"the picture has no pixels ({width} x {height})", f"give {READABLE}")
    check_sides(width, height)
    if width * height > max_pixels:
        raise PixelLimitError(
            f"{width} x {height} pixels are more than the {max_pixels} allowed", "cut or shrink the picture first"
        )
    return image


def _format(image: Image.Image) -> ImageFormat:
    image_format = format_named(image.format)
    assert image_format is not None  # `open_image` tries no other
    return image_format


def _open_rows(stream: BinaryIO, image: Image.Image, samples: Samples) -> tuple[Rows, str | None]:
    """The rows of an image, which is loaded if its samples say so, and a note if they are not what is stored.

    They hold no more of the image than needed.
    """
    match samples.decoder:
        case Decoder.NETPBM:
            return netpbm.open_rows(stream, image, samples), None
        case Decoder.TIFF16:
            return tiff16.open_rows(stream, image), None
        case Decoder.PNG16:
            return png16.open_rows(stream, image, samples), None
        case Decoder.AVIF16:
            return avif16.open_rows(stream, image, samples)
        case Decoder.HEIF16:
            return heif.open_deep_rows(stream, samples), None
        case Decoder.JXL:
            return jxl.open_rows(image)
        case Decoder.JPEG2000:
            return jpeg2000.open_rows(stream)
        case Decoder.CMYK:
            return cmyk.open_rows(image, read_profile(stream, image))
        case Decoder.PILLOW:
            return pillow.open_rows(image, samples)


def _is_lossless(stream: BinaryIO, image_format: ImageFormat) -> bool:
    """Whether a picture was coded without loss; for WebP its first frame's chunk says so, which is then called VP8L."""
    if image_format is not ImageFormat.WEBP:
        return image_format not in (ImageFormat.JPEG, ImageFormat.HEIF)
    return _webp_frame(stream)[0] == b"VP8L"


def _coded_quality(stream: BinaryIO, image: Image.Image) -> float | None:
    """What a header says of the quality of lossy coding, 0..100."""
    if image.format != "WEBP":
        return read_jpeg_quality(image)
    chunk, frame = _webp_frame(stream)
    return vp8.quality_of(frame) if chunk == b"VP8 " else None


def _webp_frame(stream: BinaryIO) -> tuple[bytes, bytes]:
    """The name of the first frame's chunk, and how it begins; without a frame, both are empty."""
    for chunk in riff.read_chunks(stream):
        parts = riff.read_chunks(stream, chunk.start + 16, chunk.end) if chunk.name == b"ANMF" else (chunk,)
        for part in parts:
            if part.name in (b"VP8L", b"VP8 "):
                return part.name, riff.read_chunk(stream, part, vp8.HEADER_BYTES)
    return b"", b""
