import io
import struct

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError, OutputError
from scales_cli.imaging.animation import Frame, write_frames
from scales_cli.imaging.containers import riff
from scales_cli.imaging.decoding import read_header
from scales_cli.imaging.exif import Exif
from scales_cli.imaging.files import read_frames
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.output_options import OutputOptions
from scales_cli.imaging.picture import Layout

DURATIONS = [40, 100, 250, 60]


@pytest.fixture
def moving():
    """RGBA frames of a square that wanders over a transparent ground."""
    frames = []
    for index in range(len(DURATIONS)):
        pixels = np.zeros((12, 16, 4), np.uint8)
        pixels[4:9, 3 * index : 3 * index + 5] = (200, 40 * index, 0, 255)
        frames.append(pixels)
    return frames


def animated(frames, image_format, **options):
    stream = io.BytesIO()
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(stream, image_format, save_all=True, append_images=others, duration=DURATIONS, **options)
    return stream.getvalue()


SAVED = {"GIF": {"disposal": 2, "loop": 3}, "WEBP": {"lossless": True, "exact": True}, "PNG": {"loop": 2}}


@pytest.mark.parametrize("image_format", SAVED)
def test_read_frames_gives_whole_pictures_with_their_timing(moving, image_format):
    data = animated(moving, image_format, **SAVED[image_format])
    frames = list(read_frames(data))
    assert [round(frame.duration) for frame in frames] == DURATIONS
    first = 1 if image_format == "GIF" else 0  # it counts from the second time on
    assert {frame.loop for frame in frames} == {SAVED[image_format].get("loop", 0) + first}
    for frame, expected in zip(frames, moving, strict=True):
        seen = expected[..., 3] > 0
        assert np.array_equal(frame.pixels[..., 3], expected[..., 3])
        assert np.abs(frame.pixels[seen].astype(int) - expected[seen]).max() <= (0 if image_format != "GIF" else 8)
    assert read_header(io.BytesIO(data)).frames == len(DURATIONS)


def test_read_frames_cuts_what_lies_outside_the_first_one():
    """Of the second frame of a GIF, which is wider than the screen; Pillow enlarges the picture for it."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes([255, 0, 0, 0, 0, 255])
    frames = [b"," + struct.pack("<HHHHB", 0, 0, width, 1, 0) + b"\x02" for width in (1, 2)]
    data = screen + frames[0] + b"\x02\x44\x01\0" + frames[1] + b"\x02\x8c\x0a\0" + b";"  # red; blue, red
    assert [frame.pixels.tolist() for frame in read_frames(data)] == [[[[255, 0, 0, 255]]], [[[0, 0, 255, 255]]]]


def test_a_gif_keeps_a_frame_that_states_no_disposal():
    """Behind one that is wiped out."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 2, 1, 0x80, 1, 0) + bytes([255, 0, 0, 0, 0, 255])
    frames = [
        b"!\xf9\4" + bytes([disposal << 2, 5, 0, 0, 0]) + b"," + struct.pack("<HHHHB", left, 0, 1, 1, 0) + b"\2\2"
        for left, disposal in ((0, 2), (0, 0), (1, 0))
    ]
    red, blue = b"\x44\1\0", b"\x4c\1\0"
    data = screen + frames[0] + blue + frames[1] + red + frames[2] + blue + b";"
    assert list(read_frames(data))[2].pixels.tolist() == [[[255, 0, 0, 255], [0, 0, 255, 255]]]


def test_a_gif_without_a_loop_runs_once(moving):
    assert next(read_frames(animated(moving, "GIF"))).loop == 1


def test_the_picture_that_stands_in_is_no_frame(moving):
    data = animated([np.full_like(moving[0], 9), *moving], "PNG", default_image=True)
    assert read_header(io.BytesIO(data)).frames == len(moving)
    assert np.array_equal(next(read_frames(data)).pixels, moving[0])


@pytest.mark.parametrize("image_format", [ImageFormat.WEBP, ImageFormat.PNG], ids=lambda item: item.name)
def test_write_frames_can_be_read_again(moving, image_format):
    frames = [Frame(pixels, duration, 2) for pixels, duration in zip(moving, DURATIONS, strict=True)]
    stream = io.BytesIO()
    layout = Layout(16, 12, 4, np.dtype(np.uint8), format=ImageFormat.GIF)
    write_frames(iter(frames), layout, image_format, stream)
    again = list(read_frames(stream.getvalue()))
    for frame, written in zip(frames, again, strict=True):
        assert (written.duration, written.loop) == (frame.duration, 2)
        assert np.array_equal(written.pixels[..., 3], frame.pixels[..., 3])
        seen = frame.pixels[..., 3] > 0
        assert np.array_equal(written.pixels[seen], frame.pixels[seen])


def test_fractions_of_milliseconds_and_the_resolution_are_kept(moving):
    """Of WebP, which has whole ones, the sum of them."""
    layout = Layout(16, 12, 4, np.dtype(np.uint8), dpi=(300.0, 300.0))
    different = (np.roll(pixels, turn, axis=1) for pixels in moving for turn in range(6))  # equal ones are joined
    frames = [Frame(pixels, 1000 / 60, 0) for pixels in different]
    for image_format, tolerance in ((ImageFormat.PNG, 0.02), (ImageFormat.WEBP, 0.6)):
        stream = io.BytesIO()
        write_frames(frames, layout, image_format, stream)
        again = list(read_frames(stream.getvalue()))
        assert sum(frame.duration for frame in again) == pytest.approx(400, abs=tolerance)
        if image_format is ImageFormat.PNG:
            assert Image.open(stream).info["dpi"] == pytest.approx((300, 300), abs=0.01)


@pytest.mark.parametrize("count", [1, 4])
def test_exif_of_webp_has_no_prefix(moving, count):
    """Of animations no more than of still pictures."""
    exif = Exif(picture={0x010F: (2, b"Maker\0")}).packed()
    stream = io.BytesIO()
    frames = [Frame(pixels, 50, 0) for pixels in moving[:count]]
    write_frames(frames, Layout(16, 12, 4, np.dtype(np.uint8), exif=exif), ImageFormat.WEBP, stream)
    (chunk,) = (chunk for chunk in riff.read_chunks(stream) if chunk.name == b"EXIF")
    assert riff.read_chunk(stream, chunk, 2**16) == exif.removeprefix(b"Exif\0\0")


def test_more_loops_than_webp_counts_are_as_many_as_it_can(moving):
    stream = io.BytesIO()
    layout = Layout(16, 12, 4, np.dtype(np.uint8))
    write_frames([Frame(pixels, 50, 2**16) for pixels in moving], layout, ImageFormat.WEBP, stream)
    assert next(read_frames(stream.getvalue())).loop == 2**16 - 1


def test_what_an_encoder_refuses_is_an_output_error(moving):
    """Here a frame that is shown for longer than WebP can say."""
    layout = Layout(16, 12, 4, np.dtype(np.uint8))
    with pytest.raises(OutputError, match="cannot be written as WEBP"):
        write_frames([Frame(pixels, 2e7, 0) for pixels in moving], layout, ImageFormat.WEBP, io.BytesIO())


def test_write_frames_puts_them_on_a_background(moving):
    layout = OutputOptions(background=(0, 0, 255)).applied(Layout(16, 12, 4, np.dtype(np.uint8)))
    stream = io.BytesIO()
    write_frames([Frame(pixels, 50, 0) for pixels in moving], layout, ImageFormat.PNG, stream)
    assert all((frame.pixels[0, 0] == (0, 0, 255, 255)).all() for frame in read_frames(stream.getvalue()))


@pytest.mark.parametrize("image_format", SAVED)
def test_broken_frames_are_input_errors(moving, image_format):
    rng = np.random.default_rng(5)
    data = animated(moving, image_format, **SAVED[image_format])
    for _ in range(60):
        damaged = bytearray(data)
        for position in rng.integers(20, len(data), 4):
            damaged[position] ^= 1 << rng.integers(8)
        try:
            frames = list(read_frames(bytes(damaged[: rng.integers(len(data) // 2, len(data) + 1)]), max_pixels=2**16))
        except InputError:
            continue
        assert all(frame.pixels.shape[2] == 4 for frame in frames)
