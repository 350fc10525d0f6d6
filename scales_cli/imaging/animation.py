"""Animations: their frames as a viewer shows them, and how enlarged ones are written, as WebP or animated PNG.

Pillow puts frames together when it reads (disposal, blending), but for PNG, of which it leaves ghosts and loses
transparency and depth. It finds what changes when it writes, for which it holds all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, PngImagePlugin

from scales_cli.errors import InputError
from scales_cli.imaging.containers.apng import Blend, Disposal, read_png_frames
from scales_cli.imaging.decoding import count_frames, decode_image, decoding_errors, open_image
from scales_cli.imaging.encoding import encoding_errors, to_8_bit
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.metadata import read_orientation
from scales_cli.imaging.output_options import Metadata
from scales_cli.imaging.picture import Layout, Pixels
from scales_cli.imaging.readers.samples import strips_of
from scales_cli.imaging.surveys.dispatch import survey_file
from scales_cli.imaging.surveys.survey import MAX_FRAMES
from scales_cli.imaging.upright import as_stored
from scales_cli.imaging.writers.png import as_texts
from scales_cli.imaging.writers.webp import save_options

_MOST_LOOPS = 2**16 - 1  # that WebP counts; animated PNG counts further, GIF as far
_FRAMES_HELD = 16  # beside the frames: canvases, the packed file, and what coding one of them takes


@dataclass(frozen=True)
class Frame:
    """RGBA pixels [H, W, 4], uint8, upright, for `duration` milliseconds; the whole runs `loop` times (0: for ever)."""

    pixels: Pixels
    duration: float
    loop: int


def read_frames(stream: BinaryIO, max_pixels: int) -> Iterator[Frame]:
    """Every frame as a whole picture of the first one's size. A defect is an `InputError` in its frame's turn."""
    with decoding_errors():
        survey = survey_file(stream)
        image = open_image(survey.stream, survey, max_pixels)
        count = count_frames(survey, image)
        orientation = read_orientation(image)
        loop = _plays(image)
        is_png = image.format == "PNG" and "loop" in image.info
        canvases = _png_canvases(survey.stream, image.size) if is_png else _pillow_canvases(image, count)
    if count > MAX_FRAMES:
        raise InputError(f"the animation has {count} frames, more than {MAX_FRAMES}", "cut it first")
    for _ in range(count):
        with decoding_errors():
            stored, duration = next(canvases)
        pixels = np.empty((*stored.shape[1::-1], 4) if orientation >= 5 else stored.shape, np.uint8)
        as_stored(pixels, orientation)[:] = stored
        yield Frame(pixels, duration, loop)


def _pillow_canvases(image: Image.Image, count: int) -> Iterator[tuple[Pixels, float]]:
    """What is seen of each frame, as it is stored, and for how long."""
    width, height = image.size
    for index in range(count):
        if isinstance(image, GifImagePlugin.GifImageFile):
            image.disposal_method = 0  # Pillow would keep that of the frame before for one that states none
        image.seek(index)
        yield np.asarray(image.convert("RGBA"))[:height, :width], float(image.info.get("duration", 0))  # a GIF may grow


def _png_canvases(stream: BinaryIO, size: tuple[int, int]) -> Iterator[tuple[Pixels, float]]:
    """What is seen of each frame of a PNG, in an array that changes with the next, and for how long."""
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    for index, frame in enumerate(read_png_frames(stream)):
        region = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        # Before the first frame there is nothing, which is what `PREVIOUS` then goes back to.
        before = region.copy() if frame.disposal is Disposal.PREVIOUS and index else None
        try:
            pixels = _as_rgba(decode_image(frame.file, frame.width * frame.height, Metadata.NONE).pixels)
        except InputError as error:  # whose hint may be about a still picture
            raise InputError(f"frame {index + 1}: {error.message}", "get the file again") from error
        if frame.blend is Blend.OVER:
            pixels = np.asarray(Image.alpha_composite(Image.fromarray(region.copy()), Image.fromarray(pixels)))
        region[:] = pixels
        del pixels
        yield canvas, frame.duration
        if frame.disposal is not Disposal.NONE:
            region[:] = 0 if before is None else before


def _as_rgba(pixels: Pixels) -> NDArray[np.uint8]:
    """Pixels of any kind with 8 bits of four channels; few at a time, as rounding takes several times their size."""
    height, width, channels = pixels.shape
    rgba = np.full((height, width, 4), 255, np.uint8)
    for top, bottom in strips_of(height, width):
        strip = pixels[top:bottom]
        strip = to_8_bit(strip) if strip.dtype == np.uint16 else strip
        rgba[top:bottom, :, :3] = strip[..., : 1 if channels <= 2 else 3]
        if channels in (2, 4):
            rgba[top:bottom, :, 3] = strip[..., -1]
    return rgba


def write_frames(frames: Iterable[Frame], layout: Layout, image_format: ImageFormat, stream: BinaryIO) -> None:
    """Writes frames of the layout's size."""
    images, durations, loop = [], [], 0
    for frame in frames:
        image = Image.fromarray(frame.pixels)
        if layout.background is not None:
            image = Image.alpha_composite(Image.new("RGBA", image.size, layout.background), image)
        images.append(image)
        durations.append(frame.duration)
        loop = min(frame.loop, _MOST_LOOPS)
    options: dict[str, Any] = {"loop": loop, "duration": durations}
    if image_format is ImageFormat.WEBP:
        options |= save_options(layout)
    else:
        for name in ("icc_profile", "exif", "dpi"):
            if (value := getattr(layout, name)) is not None:
                options[name] = value
        options["pnginfo"] = PngImagePlugin.PngInfo()
        for chunk in layout.color_chunks:
            options["pnginfo"].add(*chunk)
        for text in as_texts(layout):
            options["pnginfo"].add(text.kind, text.data)
    with encoding_errors(image_format):
        images[0].save(stream, image_format.name, save_all=True, append_images=images[1:], **options)


def _plays(image: Image.Image) -> int:
    """How often an animation runs, 0 for ever. A GIF says how often again, and without a word runs once."""
    count = image.info.get("loop")
    if count is None:
        return 1 if image.format == "GIF" else 0
    return int(count) + 1 if image.format == "GIF" and count else int(count)


def animation_bytes(layout: Layout, frames: int) -> int:
    """What `write_frames` holds for frames of a layout's size."""
    return (frames + _FRAMES_HELD) * 4 * layout.width * layout.height
