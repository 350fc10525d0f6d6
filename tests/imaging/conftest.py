import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

KINDS = {
    "rgb.jpg": lambda image: (image, "JPEG", {}),
    "grey.jpg": lambda image: (image.convert("L"), "JPEG", {}),
    "cmyk.jpg": lambda image: (image.convert("CMYK"), "JPEG", {}),
    "bit.png": lambda image: (image.convert("1"), "PNG", {}),
    "grey.png": lambda image: (image.convert("L"), "PNG", {}),
    "grey-alpha.png": lambda image: (image.convert("LA"), "PNG", {}),
    "grey-transparent.png": lambda image: (image.convert("L"), "PNG", {"transparency": 3}),
    "grey16.png": lambda image: (image.convert("I;16"), "PNG", {}),
    "rgb-transparent.png": lambda image: (image, "PNG", {"transparency": (1, 2, 3)}),
    "palette.png": lambda image: (image.quantize(7), "PNG", {}),
    "palette-transparent.png": lambda image: (image.quantize(7), "PNG", {"transparency": 2}),
    "rgba.png": lambda image: (image.convert("RGBA"), "PNG", {}),
    "rgba.webp": lambda image: (image.convert("RGBA"), "WEBP", {}),
    "rgb.webp": lambda image: (image, "WEBP", {"lossless": True}),
    "cmyk.tif": lambda image: (image.convert("CMYK"), "TIFF", {}),
    "grey16.tif": lambda image: (image.convert("I;16"), "TIFF", {}),
    "palette.tif": lambda image: (image.quantize(7), "TIFF", {}),
    "bit.bmp": lambda image: (image.convert("1"), "BMP", {}),
    "rgb.bmp": lambda image: (image, "BMP", {}),
    "grey.ppm": lambda image: (image.convert("L"), "PPM", {}),
    "bit.ppm": lambda image: (image.convert("1"), "PPM", {}),
    "bitmap.dib": lambda image: (image, "DIB", {}),
    "palette.gif": lambda image: (image.quantize(20), "GIF", {}),
    "transparent.gif": lambda image: (image.quantize(20), "GIF", {"transparency": 3}),
    "grey.gif": lambda image: (image.convert("L"), "GIF", {}),
    "rgb.avif": lambda image: (image, "AVIF", {"quality": 90, "subsampling": "4:4:4"}),
    "alpha.avif": lambda image: (_with_alpha(image), "AVIF", {"quality": 90}),
    "grey.avif": lambda image: (image.convert("L"), "AVIF", {"quality": 90}),
    "rgb.jp2": lambda image: (image, "JPEG2000", {}),
    "alpha.jp2": lambda image: (_with_alpha(image), "JPEG2000", {}),
    "grey.j2k": lambda image: (image.convert("L"), "JPEG2000", {"no_jp2": True}),
    "rgb.qoi": lambda image: (image, "QOI", {}),
    "alpha.qoi": lambda image: (_with_alpha(image), "QOI", {}),
    "icon.ico": lambda image: (_with_alpha(image), "ICO", {"sizes": [(8, 6), image.size]}),
    "bitmap.ico": lambda image: (_with_alpha(image), "ICO", {"sizes": [image.size], "bitmap_format": "bmp"}),
    "rgb.tga": lambda image: (image, "TGA", {}),
    "alpha.tga": lambda image: (_with_alpha(image), "TGA", {"compression": "tga_rle"}),
    "palette.tga": lambda image: (image.quantize(20), "TGA", {}),
    "grey-alpha.tga": lambda image: (image.convert("LA"), "TGA", {}),
}


def _with_alpha(image):
    image = image.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def pytest_generate_tests(metafunc):
    """`kind` runs a test on a picture of every kind, which `kinds` has."""
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", KINDS)


@pytest.fixture
def kinds(photo, saved):
    """The bytes of the same picture as a file of every kind."""
    files = {}
    for name, make in KINDS.items():
        image, image_format, options = make(Image.fromarray(photo))
        files[name] = saved(image, image_format, **options)
    return files


@pytest.fixture
def png_chunk():
    return make_chunk


def make_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.fixture
def png_with():
    """A PNG of a header and chunks of one's own."""

    def make(width, height, *, depth=8, color=2, chunks=()):
        header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
        parts = [make_chunk(b"IHDR", header), *(make_chunk(*chunk) for chunk in chunks), make_chunk(b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

    return make


@pytest.fixture
def saved():
    """The bytes of an array or Pillow image in a format."""

    def save(image, image_format="PNG", **options):
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        stream = io.BytesIO()
        image.save(stream, image_format, **options)
        return stream.getvalue()

    return save


@pytest.fixture
def photo(rng):
    """A small smooth colour picture."""
    coarse = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((23, 17), Image.Resampling.BICUBIC))
