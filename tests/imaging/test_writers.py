import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout, Picture
from scales_cli.imaging.writers import strips, tiff

WRITABLE = [item for item in ImageFormat if item.writable]
SHAPES = [(1, 1), (1, 90), (90, 1), (13, 17), (70, 33)]


def noise(shape, channels, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max + 1, (*shape, channels), dtype=dtype)


def encoded(pixels, image_format, **details):
    stream = io.BytesIO()
    picture = Picture(pixels, **details)
    writer = open_writer(picture.layout, image_format, stream)
    writer.write(picture.pixels)
    writer.close()
    return stream.getvalue()


def small_strips(size=400):
    return mock.patch.object(strips, "_STRIP_BYTES", size)


def by_opencv(data):
    """[H, W, C], RGB."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    decoded = decoded.reshape(*decoded.shape[:2], -1)
    return decoded[..., [2, 1, 0, 3][: decoded.shape[2]]] if decoded.shape[2] >= 3 else decoded


pictures = st.tuples(
    st.sampled_from(WRITABLE),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(1, 4),
    st.tuples(st.integers(1, 150), st.integers(1, 40)),
)


@settings(max_examples=60)
@given(pictures, st.lists(st.integers(0, 70), max_size=6), st.sampled_from([1, 3]), st.sampled_from([100, 3000]))
def test_bytes_depend_neither_on_the_rows_at_a_time_nor_on_threads(picture, chunks, threads, strip_bytes):
    image_format, dtype, channels, (height, width) = picture
    pixels = noise((width, height), channels, dtype).swapaxes(0, 1)  # rows that do not lie in one piece
    stream = io.BytesIO()
    with small_strips(strip_bytes), ThreadPoolExecutor(threads) as pool:
        writer = open_writer(Picture(pixels).layout, image_format, stream, pool.map)
        top = 0
        for count in [*chunks, height]:
            rows = pixels[top : top + count].copy()
            writer.write(rows)
            rows[:] = 0  # which are the caller's again
            top += count
        writer.close()
        expected = encoded(np.ascontiguousarray(pixels), image_format)
    assert stream.getvalue() == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_is_read_exactly(shape, channels, dtype):
    pixels = noise(shape, channels, dtype)
    with small_strips():
        data = encoded(pixels, ImageFormat.PNG)
    assert np.array_equal(read_image(data).pixels, pixels)
    decoded = by_opencv(data)
    if channels == 2:
        decoded = decoded[..., [0, 3]]
    assert np.array_equal(decoded, pixels)


def test_png_is_one_zlib_stream():
    pixels = noise((90, 31), 3, np.uint8)
    with small_strips():
        data = encoded(pixels, ImageFormat.PNG)
    chunks, position = [], 8
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        name, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + size]
        assert struct.unpack_from(">I", data, position + 8 + size)[0] == zlib.crc32(name + body)
        chunks.append((name, body))
        position += 12 + size
    assert [name for name, _ in chunks if name != b"IDAT"] == [b"IHDR", b"IEND"]
    parts = [body for name, body in chunks if name == b"IDAT"]
    assert len(parts) > 10
    assert len(zlib.decompress(b"".join(parts))) == 90 * (1 + 31 * 3)  # which checks Adler-32


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_is_read_exactly(monkeypatch, shape, channels, dtype, big):
    if big:
        monkeypatch.setattr(tiff, "_CLASSIC_BYTES", 0)
    pixels = noise(shape, channels, dtype)
    with small_strips():
        data = encoded(pixels, ImageFormat.TIFF, dpi=(300.0, 72.0))
    assert data[:4] == (b"II+\0" if big else b"II*\0")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert np.array_equal(page.asarray().reshape(pixels.shape), pixels)
        assert page.tags["XResolution"].value == (300000, 1000)
    if channels % 2 or (channels == 4 and dtype == np.uint16):  # OpenCV premultiplies alpha of 8 bits
        assert np.array_equal(by_opencv(data), pixels)
    if channels != 2 or dtype == np.uint8:  # which Pillow does not read
        assert np.array_equal(read_image(data).pixels, pixels)


def test_tiff_grows_big_by_its_dimensions_alone():
    for height, magic in ((30000, b"II+\0"), (29000, b"II*\0")):
        stream = io.BytesIO()
        open_writer(Layout(48000, height, 3, np.dtype(np.uint8)), ImageFormat.TIFF, stream)
        assert stream.getvalue()[:4] == magic


def test_tiff_holds_exif_texts():
    exif = Image.Exif()
    exif[0x010E], exif[0x8298], exif[0x0112] = "Harbour", "me", 6
    data = encoded(noise((3, 4), 3, np.uint16), ImageFormat.TIFF, exif=exif.tobytes())
    with Image.open(io.BytesIO(data)) as image:
        assert (image.tag_v2[0x010E], image.tag_v2[0x8298]) == ("Harbour", "me")
        assert 0x0112 not in image.tag_v2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("image_format", "dtype"),
    [(ImageFormat.PPM, np.uint8), (ImageFormat.PPM, np.uint16), (ImageFormat.BMP, np.uint8)],
    ids=lambda value: str(value),
)
def test_plain_formats_are_read_exactly(shape, channels, image_format, dtype):
    pixels = noise(shape, channels, dtype)
    with small_strips():
        data = encoded(pixels, image_format)
    assert np.array_equal(read_image(data).pixels, pixels)
    decoded = by_opencv(data)
    assert np.array_equal(decoded[..., :channels], pixels)


def test_bmp_says_its_size():
    data = encoded(noise((5, 7), 3, np.uint8), ImageFormat.BMP, dpi=(300.0, 300.0))
    assert struct.unpack_from("<I", data, 2)[0] == len(data) == 54 + 5 * 24
    assert read_image(data).dpi == pytest.approx((300, 300), abs=0.02)


@pytest.mark.parametrize("height", [1, 7, 8, 63, 64, 65, 128, 200])
@pytest.mark.parametrize("width", [1, 7, 16, 33])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_in_strips_has_the_pixels_of_one_encoding(height, width, channels):
    pixels = noise((height, width), channels, np.uint8)
    data = encoded(pixels, ImageFormat.JPEG)
    stream = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels).save(stream, "JPEG", quality=95, subsampling=0)
    assert np.array_equal(read_image(data).pixels, read_image(stream.getvalue()).pixels)
    assert np.array_equal(by_opencv(data), by_opencv(stream.getvalue()))
    with Image.open(io.BytesIO(data)) as image:
        assert not image.info.get("progressive")
        assert image.size == (width, height)


def test_jpeg_numbers_its_restart_markers():
    data = encoded(noise((8 * 20, 8), 1, np.uint8), ImageFormat.JPEG)
    scan = data[data.index(b"\xff\xda") :]
    markers = [scan[i + 1] for i in range(len(scan) - 1) if scan[i] == 0xFF and 0xD0 <= scan[i + 1] <= 0xD7]
    assert markers == [0xD0 + i % 8 for i in range(19)]


@pytest.mark.parametrize("image_format", WRITABLE, ids=lambda item: item.name)
def test_writers_take_exactly_the_rows_of_the_picture(image_format):
    pixels = noise((4, 5), 3, np.uint8)

    def opened():
        return open_writer(Picture(pixels).layout, image_format, io.BytesIO())

    with pytest.raises(ValueError, match="more than the 4 rows"):
        opened().write(np.concatenate([pixels, pixels]))
    for wrong in (pixels[:, :4], pixels[..., :1], pixels.astype(np.uint16)):
        with pytest.raises(ValueError, match="do not belong"):
            opened().write(wrong)
    writer = opened()
    writer.write(pixels[:3])
    with pytest.raises(ValueError, match="3 rows were written of 4"):
        writer.close()


@pytest.mark.parametrize(
    "image_format", [ImageFormat.PNG, ImageFormat.TIFF, ImageFormat.JPEG, ImageFormat.WEBP], ids=lambda item: item.name
)
def test_writers_leave_out_profiles_of_other_colors(image_format):
    profile = bytes(16) + b"CMYK" + bytes(16) + b"acsp" + bytes(100)
    assert b"acsp" not in encoded(noise((4, 5), 3, np.uint8), image_format, icc_profile=profile)


def test_writers_make_files_a_strict_decoder_takes():
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    pixels = noise((300, 500), 3, np.uint8)  # two strips as they are
    for image_format in (ImageFormat.PNG, ImageFormat.TIFF, ImageFormat.BMP, ImageFormat.PPM):
        assert np.array_equal(read_image(encoded(pixels, image_format)).pixels, pixels)
