import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def png_chunk():
    return make_chunk


def make_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.fixture
def png_with():
    """A PNG of a header and chunks of one's own."""

    def make(width, height, *, depth=8, colour=2, chunks=()):
        header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
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
