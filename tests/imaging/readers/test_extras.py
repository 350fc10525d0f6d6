"""HEIF and JPEG XL, by the libraries of their extras."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from scales_cli.errors import InputError
from scales_cli.imaging import formats
from scales_cli.imaging.containers.jxl import read_jxl
from scales_cli.imaging.files import probe_image, read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.readers import heif


@pytest.fixture
def pillow_heif():
    return pytest.importorskip("pillow_heif")


@pytest.fixture
def imagecodecs():
    """With which files are written; the plugin reads them."""
    pytest.importorskip("pillow_jxl")
    return pytest.importorskip("imagecodecs")


def ramp(channels, full):
    """[24, 32, channels]: smooth, different in each channel, no two corners alike."""
    y, x = np.mgrid[:24, :32]
    planes = [x + 2 * y, 80 - x, 40 + y, 20 + x + y][:channels]
    return (np.stack(planes, 2) * (full / 90)).astype(np.uint8 if full == 255 else np.uint16)


def assert_near(picture, pixels, tolerance):
    assert picture.pixels.dtype == pixels.dtype
    assert picture.pixels.shape == pixels.shape
    assert np.abs(picture.pixels.astype(int) - pixels).max() <= tolerance


def as_heif(pillow_heif, mode, pixels, **options):
    stream = io.BytesIO()
    file = pillow_heif.from_bytes(mode, pixels.shape[1::-1], pixels.tobytes())
    file.save(stream, quality=-1, chroma=444, enc_params={"preset": "ultrafast"}, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("mode", "full"), [("L", 255), ("RGB", 255), ("RGBA", 255), ("RGB;16", 65535), ("RGBA;16", 65535)]
)
def test_heif_is_read_with_all_its_bits(pillow_heif, mode, full):
    pixels = ramp({"L": 1, "RGB": 3, "RGBA": 4}[mode.split(";")[0]], full)
    data = as_heif(pillow_heif, mode, pixels)
    header, picture = probe_image(data), read_image(data)
    assert_near(picture, pixels, full // 100)  # of the conversion to luma and color differences
    assert (header.format, header.layout.channels, header.layout.dtype) == (
        ImageFormat.HEIF,
        pixels.shape[2],
        pixels.dtype,
    )
    assert picture.notes == ()


def test_heif_is_turned_and_keeps_its_profile(pillow_heif):
    exif = Image.Exif()
    exif.update({0x112: 6, 0x10F: "maker"})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = ramp(3, 255)
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    file = pillow_heif.from_pillow(image)
    file.save(stream, quality=-1, chroma=444, exif=exif.tobytes(), icc_profile=profile)
    header, picture = probe_image(stream), read_image(stream)
    assert (header.width, header.height) == (24, 32)
    assert_near(picture, np.rot90(pixels, -1), 3)
    assert picture.icc_profile == profile
    assert b"maker" in picture.exif


def test_heif_is_no_avif(pillow_heif):
    assert heif.is_heif(as_heif(pillow_heif, "RGB", ramp(3, 255))[:64])
    stream = io.BytesIO()
    Image.fromarray(ramp(3, 255)).save(stream, "AVIF")
    assert not heif.is_heif(stream.getvalue()[:64])
    assert not heif.is_heif(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("lossless", [True, False])
def test_jxl_is_read(imagecodecs, channels, depth, lossless):
    """Grey with all its bits; of color, the plugin gives 8."""
    full = 2**depth - 1
    pixels = ramp(channels, full)
    stored = pixels[..., 0] if channels == 1 else pixels
    options = {"lossless": True} if lossless else {"distance": 0.1}
    data = imagecodecs.jpegxl_encode(stored, bitspersample=depth, **options)
    header, picture = probe_image(data), read_image(data)
    is_deep = depth > 8 and channels < 3
    expected = np.rint(pixels * ((65535 if is_deep else 255) / full)).astype(np.uint16 if is_deep else np.uint8)
    assert_near(picture, expected, (1 if lossless else 10) * (257 if is_deep else 1))
    assert (header.layout.channels, header.layout.dtype) == (channels, expected.dtype)
    assert picture.notes == (() if is_deep or depth == 8 else (f"its {depth} bits a channel were read as 8",))


def test_jxl_of_a_jpeg_is_turned_once(imagecodecs):
    exif = Image.Exif()
    exif.update({0x112: 6, 0x10F: "maker"})
    stream = io.BytesIO()
    Image.fromarray(ramp(3, 255)).save(stream, "JPEG", quality=95, exif=exif)
    data = imagecodecs.jpegxl_encode_jpeg(stream.getvalue())
    header, picture = probe_image(data), read_image(data)
    assert (header.width, header.height, header.orientation) == (24, 32, 1)
    assert_near(picture, read_image(stream.getvalue()).pixels, 4)
    assert b"maker" in picture.exif


def test_jxl_refuses_floating_point_and_damage(imagecodecs):
    data = imagecodecs.jpegxl_encode(ramp(1, 255)[..., 0].astype(np.float32) / 255)
    with pytest.raises(InputError, match="floating-point"):
        read_image(data)
    data = imagecodecs.jpegxl_encode(ramp(3, 255))
    for cut in (3, 6, len(data) // 2):
        with pytest.raises(InputError):
            read_image(data[:cut])


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (256, 256), (300, 200), (2560, 1), (31, 17), (640, 480)])
def test_jxl_tells_its_size(imagecodecs, size):
    data = imagecodecs.jpegxl_encode(np.zeros(size[::-1], np.uint8))
    assert read_jxl(io.BytesIO(data)).size == size


@pytest.mark.parametrize(
    ("data", "extra"), [(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heif"), (b"\xff\x0a" + bytes(20), "jxl")]
)
def test_a_library_that_is_missing_is_named(monkeypatch, data, extra):
    monkeypatch.setattr(formats, "is_installed", lambda library: False)
    with pytest.raises(InputError) as caught:
        read_image(data)
    assert f"scales-cli[{extra}]" in caught.value.hint
