"""What `read_image` refuses, and that it says why."""

import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.files import read_image
from scales_cli.imaging.tiff_directory import LONG, SHORT, directory


def test_an_icon_that_is_a_bomb_is_not_decoded(saved):
    for data, size in (
        (saved(Image.new("L", (3000, 3000))), "3000 x 3000"),
        (saved(Image.new("RGB", (1100, 2000)), "DIB"), "1100 x 1000"),  # picture and mask together
        (struct.pack("<IHHHH", 12, 2000, 3000, 1, 24), "2000 x 1500"),
    ):
        entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(data), 22)
        with pytest.raises(InputError, match=f"an icon of {size} pixels"):
            read_image(b"\0\0\1\0\1\0" + entry + data)


def test_read_image_refuses_truncated_16_bit(rng):
    """OpenCV alone would fill the rest with black."""
    for extension in (".png", ".tiff"):
        data = cv2.imencode(extension, rng.integers(0, 65536, (40, 40, 3), dtype=np.uint16))[1].tobytes()
        with pytest.raises(InputError):
            read_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("mode", "name"), [("F", "floating-point"), ("I", "signed integer"), ("LAB", "CIE Lab")], ids=lambda value: value
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


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"<!DOCTYPE html>\n<html><head><title>404</title>", "an HTML page"),
        (b"\n <?xml version='1.0'?>\n<!-- made by hand -->\n<html>", "an HTML page"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b'{"error": "not found"}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"just words\nof UTF-8: \xc3\xb6", "it is text"),
        (b"%PDF-1.7\n%\xe2", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n\0", "PostScript"),
        (b"PK\3\4" + bytes(60), "ZIP"),
        (b"PK\3\4" + bytes(26) + b"mimetypeimage/openraster", "OpenRaster"),
        (b"\x1f\x8b\x08" + bytes(20), "archive"),
        (b"8BPS\0\1" + bytes(20), "Photoshop"),
        (b"gimp xcf v011\0", "GIMP"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42isom", "`scales video`"),
        (b"RIFF\0\0\0\0AVI LIST", "`scales video`"),
        (b"\x1aE\xdf\xa3" + bytes(20), "`scales video`"),
        (b"YUV4MPEG2 W2 H2 F25:1\nFRAME\n", "`scales video`"),
        (b"v/1\x01" + bytes(20), "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance"),
        (b"DDS " + bytes(124), "DDS"),
        (b"AT&TFORM" + bytes(20), "DjVu"),
        (b"SIMPLE  =                    T", "FITS"),
        (bytes(128) + b"DICM", "DICOM"),
        (bytes(1000), "only zeros"),
        (b"\xef\xbb\xbf<!doctype html>", "an HTML page"),
        ("\ufeff<html><p>\u00f6".encode("utf-16-le"), "an HTML page"),
        (b"<meta http-equiv=refresh>", "an HTML page"),
        (b"data:image/png;base64,iVBORw0KGgo=", "base64 -d"),
        (b"/9j/4AAQSkZJRgABAQAAAQ", "base64"),
        (b"\x89PNG\n\x1a\n\0\0\0\rIHDR", "copied as text"),
        (b"\xef\xbf\xbdPNG\r\n\x1a\n\0", "copied as text"),
        ("\u65e5\u672c".encode() * 400, "it is text"),
        (b"x", "it is text"),
        (b"\xff" * 50, "or a damaged one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_read_image_names_what_is_no_picture(data, name):
    with pytest.raises(InputError) as caught:
        read_image(data)
    assert name in f"{caught.value} ({caught.value.hint})"


PLANAR = {284: (SHORT, (2,))}


def tiff(bits=(8, 8, 8), sample_format=None, compression=1, photometry=2, *, big_endian_big=False, tags=None):
    """A TIFF of 2 x 2 pixels in one strip, or with other tags."""
    others = tags or {}
    tags = {256: (LONG, (2,)), 257: (LONG, (2,)), 258: (SHORT, bits), 259: (SHORT, (compression,))}
    tags |= {262: (SHORT, (photometry,)), 273: (LONG, (16,)), 277: (SHORT, (len(bits),)), 278: (LONG, (2,))}
    tags |= {279: (LONG, (4 * len(bits) * bits[0] // 8,)), 339: (SHORT, (sample_format or 1,) * len(bits))} | others
    order = ">" if big_endian_big else "<"
    head = struct.pack(">2sHHHQ", b"MM", 43, 8, 0, 400) if big_endian_big else struct.pack("<2sHI", b"II", 42, 400)
    return head.ljust(400, b"\x55") + directory(tags, 400, big=big_endian_big, order=order)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"bits": (32, 32, 32), "sample_format": 3}, "floating-point"),
        ({"bits": (16, 16, 16), "sample_format": 3}, "floating-point"),
        ({"bits": (64,), "sample_format": 3, "photometry": 1}, "floating-point"),
        ({"bits": (16,), "sample_format": 2, "photometry": 1}, "signed integer"),
        ({"bits": (8,), "sample_format": 2, "photometry": 1}, "signed integer"),
        ({"bits": (16, 16, 16), "sample_format": 2}, "signed integer"),
        ({"bits": (64,), "sample_format": 6, "photometry": 1}, "complex"),
        ({"bits": (12, 12, 12)}, "12 bits"),
        ({"bits": (32, 32, 32)}, "32 bits"),
        ({"bits": (8,) * 5, "photometry": 1}, "5 samples a pixel"),
        ({"compression": 50001}, "WebP inside"),
        ({"compression": 34712}, "JPEG 2000 inside"),
        ({"big_endian_big": True}, "big-endian"),
        ({"photometry": 32844}, "photometric interpretation 32844"),
        ({"bits": (8, 8), "photometry": 1, "compression": 8, "tags": PLANAR | {338: (SHORT, (1,))}}, "separate planes"),
        ({"bits": (8, 8), "photometry": 1, "compression": 8, "tags": PLANAR | {338: (SHORT, (2,))}}, "separate planes"),
        ({"bits": (8, 8, 8, 8), "compression": 8, "tags": PLANAR}, "fourth sample of no stated meaning"),
    ],
    ids=str,
)
def test_read_image_names_the_kinds_of_tiff_it_refuses(options, name):
    with pytest.raises(InputError, match=name):
        read_image(tiff(**options))


def test_read_image_reads_the_tiff_that_others_are_made_of():
    assert (read_image(tiff()).pixels == 0x55).all()


def test_read_image_refuses_what_xcode_makes_of_png(saved, png_chunk, photo):
    data = saved(photo)
    with pytest.raises(InputError, match="CgBI"):
        read_image(data[:8] + png_chunk(b"CgBI", b"\x50\0\x20\2") + data[8:])


def jpeg(frame, bits, channels):
    return b"\xff\xd8\xff" + struct.pack(">BHBHHB", frame, 8 + 3 * channels, bits, 8, 8, channels) + bytes(3 * channels)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (jpeg(0xC1, 12, 3), "12 bits a sample"),
        (jpeg(0xC3, 16, 1), "16 bits a sample"),
        (jpeg(0xF7, 8, 3), "JPEG-LS"),
        (jpeg(0xC0, 8, 2), "2 channels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_read_image_names_the_kinds_of_jpeg_it_refuses(data, name):
    with pytest.raises(InputError, match=name):
        read_image(data)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "QOI"])
def test_cut_pictures_are_called_so(saved, rng, name, share):
    """By whichever decoder or survey they are refused; where --salvage is offered, it gives a picture."""
    data = saved(Image.fromarray(rng.integers(0, 256, (64, 70, 3), dtype=np.uint8)), name)
    data = data[: max(16, int(share * len(data)))]
    with pytest.raises(InputError, match="truncated") as caught:
        read_image(data)
    assert caught.value.hint.startswith("get the file again")
    offered = "--salvage" in caught.value.hint
    assert offered == (share >= 0.5 and name in ("PNG", "JPEG"))
    if offered:
        assert "cut off" in read_image(data, salvage=True).notes[-1]
        return
    with pytest.raises(InputError) as caught:
        read_image(data, salvage=True)
    assert ("JPEG and PNG" in caught.value.hint) == (name not in ("PNG", "JPEG"))
