"""Every decoder against another one, over formats, depths and channels, at the ends of their ranges."""

import io
import struct

import cv2
import numpy as np
import pytest
import tifffile

from scales_cli.errors import InputError
from scales_cli.imaging.files import read_image

imagecodecs = pytest.importorskip("imagecodecs")

SHAPE = (6, 8)


def extremes(rng, depth, channels):
    """The ends of the range and its middle, in every channel and in each alone, then anything [6, 8, C]."""
    top = 2**depth - 1
    pixels = rng.integers(0, top + 1, (*SHAPE, channels), dtype=np.uint16)
    pixels[0] = np.array([0, top, top - 1, top // 2, 1, 2, top // 2 + 1, top])[:, None]
    pixels[1] = np.where(np.arange(8)[:, None] % channels == np.arange(channels), top, 0)
    return pixels if depth > 8 else pixels.astype(np.uint8)


def tiff(pixels, *, planar, compression):
    channels = pixels.shape[2]
    pixels = pixels[..., 0] if channels == 1 else pixels
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        np.ascontiguousarray(np.moveaxis(pixels, 2, 0)) if planar and channels > 1 else pixels,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig=None if channels == 1 else "separate" if planar else "contig",
        extrasamples=["unassalpha"] * (channels in (2, 4)),
        compression=compression,
        metadata=None,
    )
    return stream.getvalue()


def read_tiff(data):
    pixels = tifffile.imread(io.BytesIO(data))
    return np.moveaxis(pixels, 0, 2) if pixels.shape[-2:] == SHAPE and pixels.ndim == 3 else pixels


def by_opencv(data):
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def reordered(pixels):
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])


# By format: depths, channels, the encoder, the other decoder, and by how many levels they may differ.
FORMATS = {
    "PNG": ((8, 16), (1, 2, 3, 4), imagecodecs.png_encode, imagecodecs.png_decode, 0),
    "PNG, OpenCV": ((8, 16), (1, 3, 4), imagecodecs.png_encode, by_opencv, 0),
    "WebP": ((8,), (3, 4), lambda a: imagecodecs.webp_encode(a, lossless=True), imagecodecs.webp_decode, 0),
    "QOI": ((8,), (3, 4), imagecodecs.qoi_encode, imagecodecs.qoi_decode, 0),
    "BMP": ((8,), (3,), lambda a: cv2.imencode(".bmp", reordered(a))[1].tobytes(), by_opencv, 0),
    "PPM": ((8, 16), (3,), lambda a: cv2.imencode(".ppm", reordered(a))[1].tobytes(), by_opencv, 0),
    "JPEG": ((8,), (1, 3), lambda a: imagecodecs.jpeg8_encode(a, level=95, subsampling="444"), by_opencv, 2),
    "JPEG 4:2:0": ((8,), (3,), lambda a: imagecodecs.jpeg8_encode(a, level=95, subsampling="420"), by_opencv, 2),
    "JPEG 2000": ((8, 16), (1, 3, 4), lambda a: imagecodecs.jpeg2k_encode(a, level=0), by_opencv, 0),
    "JPEG 2000, lossy": ((8, 16), (1, 3), lambda a: imagecodecs.jpeg2k_encode(a, level=50), by_opencv, 1),
    "AVIF": ((8,), (1, 3, 4), lambda a: imagecodecs.avif_encode(a, level=80, speed=9), imagecodecs.avif_decode, 3),
    **{
        f"TIFF, {name}": ((8, 16), (1, 2, 3, 4), lambda a, options=options: tiff(a, **options), read_tiff, 0)
        for name, options in {
            "plain": {"planar": False, "compression": None},
            "LZW": {"planar": False, "compression": "lzw"},
            "deflate": {"planar": False, "compression": "deflate"},
            "planes": {"planar": True, "compression": None},
            "planes, LZW": {"planar": True, "compression": "lzw"},
        }.items()
    },
}  # fmt: skip
CASES = [
    (name, depth, channels)
    for name, (depths, several, *_) in FORMATS.items()
    for depth in depths
    for channels in several
]


def chosen(case):
    """Of each format the most channels and bits in the default run."""
    name, depth, channels = case
    depths, several, *_ = FORMATS[name]
    marks = [] if (depth, channels) == (max(depths), max(several)) or channels == 2 else [pytest.mark.slow]
    return pytest.param(*case, marks=marks)


@pytest.mark.parametrize(("name", "depth", "channels"), [chosen(case) for case in CASES])
def test_two_decoders_agree(rng, name, depth, channels):
    *_, encode, decode, tolerance = FORMATS[name]
    pixels = extremes(rng, depth, channels)
    data = bytes(encode(pixels))
    if (depth, channels) == (8, 2) and "planes" in name:
        with pytest.raises(InputError, match="separate planes"):
            read_image(data)
        return
    found, other = read_image(data).pixels, decode(data)
    assert found.dtype == other.dtype == pixels.dtype
    assert np.abs(found.astype(int) - other.reshape(found.shape)).max() <= tolerance
    if not tolerance:
        assert np.array_equal(found, pixels)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_signed_samples_are_refused(rng, dtype):
    stream = io.BytesIO()
    tifffile.imwrite(stream, rng.integers(-100, 100, SHAPE, dtype=dtype))
    with pytest.raises(InputError, match="signed"):
        read_image(stream.getvalue())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("count", "kept"), [(2, 1), (4, 3)])
def test_samples_of_no_meaning_are_left_out_with_a_note(rng, dtype, count, kept):
    pixels = rng.integers(0, 200, (*SHAPE, count), dtype=dtype)
    stream = io.BytesIO()
    tifffile.imwrite(
        stream, pixels, photometric="rgb" if count > 2 else "minisblack", planarconfig="contig",
        extrasamples=["unspecified"],
    )  # fmt: skip
    picture = read_image(stream.getvalue())
    assert np.array_equal(picture.pixels, pixels[..., :kept])
    assert picture.notes == (f"1 of its {count} channels, neither colours nor alpha, were left out",)


def tga(kind, depth, data, *, alpha=0, colors=b"", color_depth=0):
    """A picture of 4 x 1 pixels."""
    count = 8 * len(colors) // color_depth if colors else 0
    head = struct.pack("<BBBHHB4xHHBB", 0, bool(colors), kind, 0, count, color_depth, 4, 1, depth, alpha)
    return head + colors + data


@pytest.mark.parametrize("unused", [0, 0x8000])
def test_a_bit_that_is_no_alpha_hides_nothing(unused):
    """Of 16 bits a pixel, in which other decoders see none either."""
    levels = np.array([31 << 10, 31 << 5, 31, 0x7FFF], "<u2") | unused
    expected = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]])
    assert np.array_equal(read_image(tga(2, 16, levels.tobytes())).pixels, expected)
    palette = tga(1, 8, bytes(range(4)), colors=levels.tobytes(), color_depth=16)
    assert np.array_equal(read_image(palette).pixels, expected)


def test_alpha_that_hides_all_is_taken_for_unused(rng):
    pixels = rng.integers(0, 256, (1, 4, 4), dtype=np.uint8)
    shown = read_image(tga(2, 32, pixels.tobytes(), alpha=8))
    assert np.array_equal(shown.pixels[..., [2, 1, 0, 3]], pixels)
    assert not shown.notes
    pixels[..., 3] = 0
    hidden = read_image(tga(2, 32, pixels.tobytes()))
    assert np.array_equal(hidden.pixels[..., 2::-1], pixels[..., :3])
    assert (hidden.pixels[..., 3] == 255).all()
    assert hidden.notes == ("its alpha hides all of it, and was taken for unused",)


def test_an_icon_of_unused_alpha_is_seen(rng):
    pixels = rng.integers(0, 256, (16, 16, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    bitmap = struct.pack("<IiiHHIIiiII", 40, 16, 32, 1, 32, 0, 0, 0, 0, 0, 0) + pixels.tobytes() + bytes(4 * 16)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(bitmap), 22) + bitmap
    picture = read_image(icon)
    assert np.array_equal(picture.pixels[::-1, :, 2::-1], pixels[..., :3])
    assert (picture.pixels[..., 3] == 255).all()
    assert picture.notes == ("its alpha hides all of it, and was taken for unused",)


@pytest.mark.parametrize("full", [255, 65535])
def test_palettes_of_8_bits_are_read_as_those_of_16(rng, full):
    stream = io.BytesIO()
    palette = rng.integers(0, 256, (3, 256), dtype=np.uint16)
    indices = rng.integers(0, 256, SHAPE, dtype=np.uint8)
    numbers = palette * (full // 255)
    tifffile.imwrite(stream, indices, photometric="palette", colormap=numbers, metadata=None)
    picture = read_image(stream.getvalue())
    assert np.array_equal(picture.pixels, np.moveaxis(palette[:, indices], 0, 2))


def test_differences_that_decoders_do_not_agree_on_are_refused(rng):
    stream = io.BytesIO()
    pixels = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    tifffile.imwrite(stream, pixels, photometric="rgb", compression="packbits", predictor=True, metadata=None)
    with pytest.raises(InputError, match="PackBits"):
        read_image(stream.getvalue())


def test_inks_of_16_bits_are_said_to_become_8(rng):
    stream = io.BytesIO()
    pixels = rng.integers(0, 65536, (*SHAPE, 4), dtype=np.uint16)
    tifffile.imwrite(stream, pixels, photometric="separated", metadata=None)
    (note,) = read_image(stream.getvalue()).notes
    assert "of 8 bits, which its 16 became" in note
