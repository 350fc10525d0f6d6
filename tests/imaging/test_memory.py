"""Foretold memory against the peak of the anonymous memory of fresh processes."""

import re
import select
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from scales_cli.imaging.encoding import encoding_bytes
from scales_cli.imaging.files import probe_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")

WIDTH, HEIGHT = 1536, 1024
UNSEEN = 8 * 2**20  # of what is foretold, buffers of which small pictures use but a part

DECODE = """
import sys
from scales_cli.imaging.files import read_image

def run():
    return read_image(sys.argv[1])
"""

ENCODE = """
import sys, tempfile
import numpy as np
from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.formats import format_named
from scales_cli.imaging.picture import Layout
name, width, height, channels, dtype, source = sys.argv[1:]
layout = Layout(int(width), int(height), int(channels), np.dtype(dtype), format=format_named(source), lossless=False)
shape = (16, layout.width, layout.channels)
rows = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)

def run():
    with tempfile.TemporaryFile() as stream:
        writer = open_writer(layout, format_named(name), stream)
        for top in range(0, layout.height, 16):
            writer.write(rows)
        writer.close()
"""

MEASURED = """
import re
from pathlib import Path

def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten
before = resident("VmRSS")
print(flush=True), sys.stdin.readline()
result = run()
print(resident("VmHWM") - before)
"""


def peak_of(code, *arguments):
    """The rise of a fresh process's memory: of the anonymous, as far as it was seen, and of all, which is no less."""
    command = [sys.executable, "-c", code + MEASURED, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        before = peak = anonymous_bytes(process.pid)
        print(file=process.stdin, flush=True)
        while not select.select([process.stdout], [], [], 0.001)[0]:
            peak = max(peak, anonymous_bytes(process.pid))
        of_all = int(process.stdout.readline()) * 1024
    return peak - before, of_all


def anonymous_bytes(process):
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def assert_foretold(foretold, measured):
    anonymous, of_all = measured
    assert anonymous <= foretold, f"{anonymous / 2**20:.1f} MiB were taken, {foretold / 2**20:.1f} foretold"
    assert foretold <= 1.5 * of_all + UNSEEN, f"{foretold / 2**20:.1f} MiB foretold, {of_all / 2**20:.1f} taken"


@pytest.fixture(scope="module")
def large():
    """A picture with detail that compresses like that of a photograph."""
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    return Image.fromarray(smooth ^ rng.integers(0, 4, smooth.shape, dtype=np.uint8))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def with_alpha(image):
    return Image.merge("RGBA", (*image.split(), image.getchannel(0)))


def deep(image, channels=3):
    return np.asarray(with_alpha(image))[..., :channels].astype(np.uint16) * 257


def save_interlaced(image, path):
    """A PNG of seven passes (Adam7), which Pillow does not write."""
    pixels, rows = np.asarray(image), b""
    for top, left, down, across in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        part = pixels[top::down, left::across].reshape(len(pixels[top::down]), -1)
        rows += np.pad(part, ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    )


def save_scans(image, path):
    """A sequential JPEG with a scan for each component, which Pillow does not write."""
    tables, scans = [], []
    for index, band in enumerate(image.split()):
        band.save(path, "JPEG", quality=90)
        data = path.read_bytes()
        frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
        tables = [data[20:frame], data[frame + 2 + data[frame + 3] : scan]]
        scans.append(struct.pack(">HHBBBBBB", 0xFFDA, 8, 1, index + 1, 0, 0, 63, 0) + data[scan + 10 : -2])
    header = struct.pack(">HHBHHB", 0xFFC0, 17, 8, image.height, image.width, 3)
    header += bytes([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])
    path.write_bytes(b"\xff\xd8" + tables[0] + header + tables[1] + b"".join(scans) + b"\xff\xd9")


def save_deep(image, path, channels=3, **options):
    pixels = deep(image, channels)
    if "planarconfig" in options:
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    tifffile.imwrite(path, pixels, photometric="rgb", **options)


def deep_avif(image):
    imagecodecs = pytest.importorskip("imagecodecs")
    return imagecodecs.avif_encode(deep(image) >> 6, level=60, bitspersample=10, pixelformat="420", speed=10)


def save_heif(image, path, mode="RGB"):
    pillow_heif = pytest.importorskip("pillow_heif")
    pixels = deep(image) if mode == "RGB;16" else np.asarray(image)
    file = pillow_heif.from_bytes(mode, image.size, pixels.tobytes())
    file.save(path, quality=20, enc_params={"preset": "ultrafast"})


def save_jxl(image, path, **options):
    pytest.importorskip("pillow_jxl")
    imagecodecs = pytest.importorskip("imagecodecs")
    path.write_bytes(imagecodecs.jpegxl_encode(np.asarray(image), effort=1, numthreads=1, **options))


INPUTS = {
    "rgb.jpg": lambda image, path: image.save(path, quality=90),
    "turned.jpg": lambda image, path: image.save(path, quality=90, exif=turned()),
    "progressive.jpg": lambda image, path: image.save(path, quality=90, subsampling=0, progressive=True),
    "progressive-cmyk.jpg": lambda image, path: image.convert("CMYK").save(path, quality=90, progressive=True),
    "scans.jpg": save_scans,
    "rgb.png": lambda image, path: image.save(path, compress_level=1),
    "grey-alpha.png": lambda image, path: with_alpha(image).convert("LA").save(path, compress_level=1),
    "palette.png": lambda image, path: image.quantize(64, method=2).save(path, compress_level=1),
    "interlaced.png": save_interlaced,
    "deep.png": lambda image, path: cv2.imwrite(str(path), deep(image), [cv2.IMWRITE_PNG_COMPRESSION, 1]),
    "deep-alpha.tif": lambda image, path: cv2.imwrite(str(path), deep(image, 4), [cv2.IMWRITE_TIFF_COMPRESSION, 1]),
    "deep-strip.tif": lambda image, path: save_deep(image, path, compression="deflate", rowsperstrip=image.height),
    "deep-planar.tif": lambda image, path: save_deep(image, path, planarconfig="separate", compression="deflate"),
    "premultiplied.tif": lambda image, path: save_deep(
        image, path, 4, byteorder=">", compression="deflate", predictor=True, extrasamples=["assocalpha"]
    ),
    "deep-plain.tif": lambda image, path: save_deep(image, path, planarconfig="separate", rowsperstrip=16),
    "turned.tif": lambda image, path: image.save(path, compression="tiff_lzw", exif=turned()),
    "one-strip.tif": lambda image, path: image.convert("CMYK").save(
        path, compression="tiff_lzw", tiffinfo={278: image.height}
    ),
    "lossy.webp": lambda image, path: image.save(path, quality=90, method=0),
    "lossless.webp": lambda image, path: with_alpha(image).save(path, lossless=True, quality=0, method=0),
    "rgb.bmp": lambda image, path: image.save(path),
    "palette.gif": lambda image, path: image.quantize(64, method=2).save(path),
    "rgb.avif": lambda image, path: image.save(path, quality=60, speed=10),
    "alpha.avif": lambda image, path: with_alpha(image).save(path, quality=60, speed=10, subsampling="4:4:4"),
    "deep.avif": lambda image, path: path.write_bytes(deep_avif(image)),
    "rgb.jp2": lambda image, path: image.save(path, quality_mode="rates", quality_layers=[20]),
    "deep.jp2": lambda image, path: cv2.imwrite(str(path), deep(image)),
    "alpha.jp2": lambda image, path: with_alpha(image).save(path, quality_mode="rates", quality_layers=[20]),
    "rgb.heic": save_heif,
    "deep.heic": lambda image, path: save_heif(image, path, "RGB;16"),
    "rgb.jxl": lambda image, path: save_jxl(image, path, distance=1.0),
    "lossless-alpha.jxl": lambda image, path: save_jxl(with_alpha(image), path, lossless=True),
    "rgb.qoi": lambda image, path: image.save(path),
    "alpha.tga": lambda image, path: with_alpha(image).save(path, compression="tga_rle"),
    "odd.ppm": lambda image, path: path.write_bytes(
        b"P6 %d %d 200\n" % image.size + (np.asarray(image) // 2).tobytes()
    ),
}


@pytest.mark.parametrize(
    "name",  # QOI is decoded in Python
    [pytest.param(name, marks=pytest.mark.slow) if name == "rgb.qoi" else name for name in INPUTS],
)
def test_decoding_bytes(large, tmp_path, name):
    INPUTS[name](large, tmp_path / name)
    assert_foretold(probe_image(tmp_path / name).decoding_bytes, peak_of(DECODE, tmp_path / name))


@pytest.mark.parametrize(
    ("image_format", "channels", "dtype", "source"),
    [
        (ImageFormat.PNG, 3, "uint8", ImageFormat.PNG),
        (ImageFormat.PNG, 4, "uint16", ImageFormat.PNG),
        (ImageFormat.TIFF, 3, "uint8", ImageFormat.PNG),
        (ImageFormat.JPEG, 3, "uint8", ImageFormat.PNG),
        (ImageFormat.JPEG, 4, "uint16", ImageFormat.PNG),
        (ImageFormat.BMP, 4, "uint8", ImageFormat.PNG),
        (ImageFormat.PPM, 3, "uint16", ImageFormat.PNG),
        (ImageFormat.WEBP, 3, "uint8", ImageFormat.PNG),
        (ImageFormat.WEBP, 4, "uint8", ImageFormat.PNG),
        (ImageFormat.WEBP, 3, "uint8", ImageFormat.WEBP),
        (ImageFormat.WEBP, 4, "uint8", ImageFormat.WEBP),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_encoding_bytes(image_format, channels, dtype, source):
    width, height = (1024, 1024) if image_format is ImageFormat.WEBP else (12000, 512)
    layout = Layout(width, height, channels, np.dtype(dtype), format=source, lossless=False)
    measured = peak_of(ENCODE, image_format.name, width, height, channels, dtype, source.name)
    assert_foretold(encoding_bytes(layout, image_format), measured)


def test_encoding_bytes_grow_with_the_slices():
    layout = Layout(48000, 36000, 3, np.dtype(np.uint8))
    for image_format in (ImageFormat.PNG, ImageFormat.TIFF, ImageFormat.JPEG, ImageFormat.PPM):
        needed = [encoding_bytes(layout, image_format, slices) for slices in (1, 2, 3)]
        assert needed[2] - needed[1] == needed[1] - needed[0] > 0
        assert needed[0] < 64 * 2**20  # of 5.2 GB
