"""What `read_image` refuses, and that it says why."""

import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.files import read_image


def test_an_icon_that_is_a_bomb_is_not_decoded(saved):
    bomb = saved(Image.new("L", (3000, 3000)))
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(bomb), 22)
    with pytest.raises(InputError, match="too large"):
        read_image(b"\0\0\1\0\1\0" + entry + bomb)


def test_read_image_refuses_truncated_16_bit(rng):
    """OpenCV alone would fill the rest with black."""
    for extension in (".png", ".tiff"):
        data = cv2.imencode(extension, rng.integers(0, 65536, (40, 40, 3), dtype=np.uint16))[1].tobytes()
        with pytest.raises(InputError):
            read_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("mode", "name"), [("F", "floating-point"), ("I", "32-bit integer"), ("LAB", "CIE Lab")], ids=lambda value: value
)
def test_read_image_names_the_kinds_it_refuses(saved, mode, name):
    with pytest.raises(InputError, match=name):
        read_image(saved(Image.new(mode, (5, 4)), "TIFF"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello, I am text",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM" + bytes(60),
        b"P6\n0 4\n255\n",
        b"P6\n4 4\n255\n\0\0",
        b"P6\n-3 4\n255\n\0\0",
        b"II*\0\x08\0\0\0\0\0\0\0\0\0",
        b"RIFF\x10\0\0\0WEBPVP8L\0\0\0\0",
        b"GIF89a\x01\0\x01\0\0\0\0;",
    ],
    ids=repr,
)
def test_read_image_refuses_what_is_no_picture(data):
    with pytest.raises(InputError) as caught:
        read_image(data)
    assert caught.value.hint
    assert "0x" not in caught.value.message


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"])
def test_read_image_refuses_truncated_files(saved, rng, name):
    data = saved(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), name)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(InputError):
            read_image(data[: int(len(data) * share)])


def test_read_image_refuses_bombs_by_their_header(png_with):
    for width, height in ((2**31 - 1, 2**31 - 1), (60000, 60000), (20000, 8000)):
        with pytest.raises(InputError, match=r"side|allowed"):
            read_image(png_with(width, height), max_pixels=2**26)


def test_read_image_refuses_no_pixels(png_with):
    for size in ((0, 4), (4, 0)):
        with pytest.raises(InputError):
            read_image(png_with(*size))


def test_read_image_says_what_a_path_is(tmp_path):
    with pytest.raises(InputError, match="folder"):
        read_image(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(InputError, match="regular"):
        read_image("/dev/zero")
    with pytest.raises(InputError):
        read_image("a\0b.png")


def test_mutated_files_are_read_or_refused(saved, photo, rng):
    for name in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"):
        original = np.frombuffer(saved(photo, name), np.uint8)
        for _ in range(40):
            data = original.copy()
            where = rng.integers(0, len(data), rng.integers(1, 8))
            data[where] = rng.integers(0, 256, len(where))
            try:
                read_image(data.tobytes(), max_pixels=2**22)
            except InputError:
                continue
