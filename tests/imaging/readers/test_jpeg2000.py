"""JPEG 2000 of every depth and meaning, against what was coded: no decoder is trusted with it."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.decoding import read_header
from scales_cli.imaging.files import read_image

imagecodecs = pytest.importorskip("imagecodecs")

SRGB, GREY, SYCC, CMYK = 16, 17, 18, 12


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def color(number):
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, number))


def codestream(pixels, depth, signed=()):
    """Samples of `depth` bits, without loss; those of components in `signed` are to be taken as signed."""
    data = bytearray(
        imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="J2K", bitspersample=depth, reversible=True, mct=False)
    )
    for component in signed:
        data[data.index(b"\xff\x51") + 40 + 3 * component] |= 0x80
    return bytes(data)


def in_boxes(stream, shape, depth, *boxes):
    height, width, channels = shape
    header = box(b"ihdr", struct.pack(">IIHBBBB", height, width, channels, depth - 1, 7, 0, 0)) + b"".join(boxes)
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", header) + box(b"jp2c", stream)


def samples(rng, depth, channels):
    """Extremes, then anything [6, 8, C]."""
    top = 2**depth - 1
    pixels = rng.integers(0, top + 1, (6, 8, channels), dtype=np.uint16)
    pixels[0] = np.array([0, top, top - 1, top // 2, 1, min(2, top), top // 2 + 1, top])[:, None]
    pixels[1, np.arange(8), np.arange(8) % channels] = top
    return pixels if depth > 8 else pixels.astype(np.uint8)


def stretched(pixels, depth):
    full = 255 if depth <= 8 else 65535
    return np.floor(pixels * (full / (2**depth - 1)) + 0.5).astype(np.uint8 if depth <= 8 else np.uint16)


DEPTHS = (1, 4, 7, 8, 9, 12, 16)


@pytest.mark.parametrize(
    "depth", [*DEPTHS, *(pytest.param(n, marks=pytest.mark.slow) for n in {*range(1, 17)} - {*DEPTHS})]
)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("container", ["JP2", "J2K"])
def test_every_depth_is_read_at_full_range(rng, depth, channels, container):
    pixels = samples(rng, depth, channels)
    data = codestream(pixels, depth)
    if container == "JP2":
        data = in_boxes(data, pixels.shape, depth, color(GREY if channels < 3 else SRGB))
    if channels == 2 and depth > 8:
        with pytest.raises(InputError, match="grey with alpha of more than 8 bits"):
            read_image(data)
        return
    picture, header = read_image(data), read_header(io.BytesIO(data))
    assert np.array_equal(picture.pixels, stretched(pixels, depth))
    assert (header.layout.channels, header.layout.dtype) == (channels, picture.pixels.dtype)
    assert np.array_equal(imagecodecs.jpeg2k_decode(data).reshape(pixels.shape), pixels)  # by another program's reading
    assert picture.notes == ()


@pytest.mark.parametrize("depth", [8, 12, 16])
def test_signed_grey_is_read(rng, depth):
    pixels = samples(rng, depth, 1)
    assert np.array_equal(read_image(codestream(pixels, depth, signed=[0])).pixels, stretched(pixels, depth))


def test_signed_colors_are_read_or_refused(rng):
    pixels = samples(rng, 8, 3)
    assert np.array_equal(read_image(codestream(pixels, 8, signed=[0, 1, 2])).pixels, pixels)
    with pytest.raises(InputError, match="signed"):
        read_image(codestream(samples(rng, 16, 3), 16, signed=[1]))


@pytest.mark.parametrize("depth", [8, 12, 16])
def test_luma_and_color_differences_become_rgb(depth):
    top, middle = 2**depth - 1, 2 ** (depth - 1)
    pixels = np.array([[[top, middle, middle], [0, middle, middle], [top // 2, top, middle]]], np.uint16)
    pixels = pixels if depth > 8 else pixels.astype(np.uint8)
    found = read_image(in_boxes(codestream(pixels, depth), pixels.shape, depth, color(SYCC))).pixels[0] / (
        255 if depth == 8 else 65535
    )
    assert np.allclose(found[:2], [[1, 1, 1], [0, 0, 0]], atol=2 / top)
    assert np.allclose(found[2], [0.5, 0.5 - 0.344136 / 2, 1], atol=2 / 255)


@pytest.mark.parametrize("depth", [8, 16])
def test_palettes_are_applied(depth):
    colors = np.array([[255, 0, 0], [0, 255, 0], [1, 2, 3]], np.uint16) * (1 if depth == 8 else 257)
    indices = np.array([[[0], [1], [2], [1]]], np.uint8)
    palette = struct.pack(">HB3B", 3, 3, *[depth - 1] * 3) + colors.astype("u1" if depth == 8 else ">u2").tobytes()
    mapping = b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3))
    for bits in (2, 8):
        data = in_boxes(
            codestream(indices, bits), indices.shape, bits, color(SRGB), box(b"pclr", palette), box(b"cmap", mapping)
        )
        picture, header = read_image(data), read_header(io.BytesIO(data))
        assert np.array_equal(picture.pixels, colors[indices[..., 0]])
        assert (header.layout.channels, header.layout.dtype) == (3, picture.pixels.dtype)


def definitions(*channels):
    return box(b"cdef", struct.pack(">H", len(channels)) + b"".join(struct.pack(">3H", *item) for item in channels))


def test_channels_are_put_in_order(rng):
    pixels = samples(rng, 8, 4)
    data = in_boxes(
        codestream(pixels, 8), pixels.shape, 8, color(SRGB), definitions((0, 1, 0), (1, 0, 3), (2, 0, 2), (3, 0, 1))
    )
    assert np.array_equal(read_image(data).pixels, pixels[..., [3, 2, 1, 0]])


@pytest.mark.parametrize("depth", [8, 16])
def test_premultiplied_alpha_is_divided_out(depth):
    top = 2**depth - 1
    pixels = np.array([[[top // 2, 0, top // 4, top // 2], [0, 0, 0, 0], [top, 1, 0, top]]])
    pixels = pixels.astype(np.uint8 if depth == 8 else np.uint16)
    data = in_boxes(
        codestream(pixels, depth), pixels.shape, depth, color(SRGB),
        definitions((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 2, 0)),
    )  # fmt: skip
    found = read_image(data).pixels[0]
    assert found[0].tolist() == [top, 0, round(top // 4 * top / (top // 2)), top // 2]
    assert found[1:].tolist() == [[0, 0, 0, 0], [top, 1, 0, top]]


def test_inks_are_converted(rng, saved):
    pixels = samples(rng, 8, 4)
    data = in_boxes(codestream(pixels, 8), pixels.shape, 8, color(CMYK))
    picture = read_image(data)
    assert (picture.kind, read_header(io.BytesIO(data)).layout.channels) == ("rgb", 3)
    assert np.array_equal(picture.pixels, np.asarray(Image.fromarray(pixels, "CMYK").convert("RGB")))
    assert "CMYK" in picture.notes[0]


@pytest.mark.parametrize("number", [0, 15])
def test_bilevel_pictures_are_read_the_right_way_round(number):
    pixels = np.array([[[0], [1], [1]]], np.uint8)
    data = in_boxes(codestream(pixels, 1), pixels.shape, 1, color(number))
    expected = pixels * 255 if number else 255 - pixels * 255
    assert np.array_equal(read_image(data).pixels, expected)


@pytest.mark.parametrize(
    ("depth", "number", "what"),
    [(8, 14, "CIE Lab"), (8, 20, "e-sRGB"), (8, 1, "YCbCr"), (8, GREY, "3 colours"), (8, CMYK, "3 colours")],
)
def test_other_spaces_are_refused(rng, depth, number, what):
    pixels = samples(rng, depth, 3)
    with pytest.raises(InputError, match=what):
        read_image(in_boxes(codestream(pixels, depth), pixels.shape, depth, color(number)))


def test_a_profile_of_its_own_is_kept(rng):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = samples(rng, 12, 3)
    data = in_boxes(codestream(pixels, 12), pixels.shape, 12, box(b"colr", b"\2\0\0" + profile))
    assert read_image(data).icc_profile == profile


def test_colors_by_other_means_are_kept_or_said(rng):
    pixels = samples(rng, 8, 3)

    def read(*colors):
        boxes = b"".join(box(b"colr", content) for content in colors)
        return read_image(in_boxes(codestream(pixels, 8), pixels.shape, 8, boxes))

    numbers = b"\5\0\0" + struct.pack(">3HB", 9, 16, 0, 0x80)
    assert read(numbers).color_chunks == ((b"cICP", bytes([9, 16, 0, 1])),)
    srgb, unknown, vendor = (b"\1\0\0\0\0\0\x10", b"\1\0\0\0\0\0\x63", b"\4\0\0" + bytes(16))
    assert read(srgb).notes == ()
    for others in ((unknown,), (vendor,), (vendor, unknown)):
        (note,) = read(*others).notes
        assert "not which" in note
    assert read(vendor, srgb).notes == ()  # by which readers that do not know the first go


def test_truncated_deep_pictures_are_refused(rng):
    data = codestream(rng.integers(0, 65536, (40, 40, 3), dtype=np.uint16), 16)
    for share in (0.01, 0.1, 0.5, 0.9):
        with pytest.raises(InputError):
            read_image(data[: int(len(data) * share)])
