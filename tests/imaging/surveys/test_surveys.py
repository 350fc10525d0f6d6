"""Surveys of files that are damaged, or say nonsense: they end, with nothing but a refusal, and read little."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.containers.avif import AVIF_BRANDS, HEIF_BRANDS
from scales_cli.imaging.files import probe_image
from scales_cli.imaging.surveys.dispatch import survey_file

HEADS = {
    "png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF\xff\xff\xff\0WEBP", "tiff": b"II*\0\x08\0\0\0",
    "big-tiff": b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10", "gif": b"GIF89a", "netpbm": b"P6", "plain": b"P3", "bmp": b"BM",
    "dib": b"\x28\0\0\0", "ico": b"\0\0\1\0\2\0", "jp2": b"\0\0\0\x0cjP  \r\n\x87\n", "j2k": b"\xff\x4f\xff\x51",
    "avif": b"\0\0\0\x14ftypavif\0\0\0\0avif", "heic": b"\0\0\0\x14ftypheic\0\0\0\0heic",
}  # fmt: skip


def surveyed(data):
    """A file that is refused, or comes out no longer than it is."""
    try:
        survey = survey_file(io.BytesIO(data))
    except InputError:
        return
    for stream in (survey.stream, survey.head or survey.stream):
        assert stream.seek(0) == 0
        assert len(stream.read()) <= len(data) + 2000
    assert survey.held_bytes >= 0
    assert survey.frames >= 1


@pytest.mark.parametrize("count", [600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_surveys_of_damaged_files_end(kinds, count):
    rng = np.random.default_rng(count)
    files = list(kinds.values())
    for number in range(count):
        data = bytearray(files[number % len(files)])
        for _ in range(rng.integers(1, 9)):
            place = int(len(data) * rng.random() ** 2)
            size = rng.choice([1, 1, 2, 4])
            data[place : place + size] = bytes(
                int(rng.choice([0, 1, 127, 255, rng.integers(256)])) for _ in range(size)
            )
        surveyed(bytes(data[: rng.integers(1, len(data) + 1)]))


@pytest.mark.parametrize("name", HEADS)
def test_surveys_of_nonsense_end(name):
    rng = np.random.default_rng(3)
    for size in (0, 1, 7, 30, 300, 5000):
        for _ in range(8):
            numbers = rng.choice([0, 0, 1, 2, 8, 255], size).astype(np.uint8)
            for data in (rng.bytes(size), numbers.tobytes(), b"\xff" * size, bytes(size)):
                surveyed(HEADS[name] + data)


def test_whole_files_are_given_to_decoders_as_they_are(kinds):
    for name, data in kinds.items():
        survey = survey_file(io.BytesIO(data))
        if not name.endswith(".ico"):  # which has one icon left
            assert survey.stream.read() == data, name
        assert not survey.notes
        assert not survey.left_out


@pytest.mark.parametrize("brand", AVIF_BRANDS + HEIF_BRANDS)
def test_files_of_every_heif_brand_are_surveyed(brand):
    start = struct.pack(">I4s4sI", 16, b"ftyp", brand, 0)
    with pytest.raises(InputError, match="more than 20 MiB"):
        survey_file(io.BytesIO(start + struct.pack(">I4s", 24 * 2**20, b"meta") + bytes(24 * 2**20 - 8)))


@pytest.mark.parametrize("options", [{}, {"save_all": True}, {"quality": 100, "subsampling": "4:4:4"}], ids=str)
def test_sizes_of_av1_frames_are_those_of_the_stream(saved, options):
    """Whatever the boxes around it say, of which decoders take no notice before it is decoded."""
    image = Image.new("RGB", (123, 77))
    more = {"append_images": [image.rotate(180), Image.new("RGB", image.size, "red")]} if "save_all" in options else {}
    data = saved(image, "AVIF", **options, **more)
    assert survey_file(io.BytesIO(data)).coded_pixels == 123 * 77
    size = struct.pack(">II", 123, 77)
    lie = data.replace(size, struct.pack(">II", 12, 7))
    assert lie != data
    assert survey_file(io.BytesIO(lie)).coded_pixels == 123 * 77
    assert probe_image(lie).decoding_bytes >= 12 * 123 * 77


def test_headers_take_no_time(saved, rng):
    """What a survey adds, of a photograph of 12 megapixels: it reads no pixels."""
    small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    data = saved(small.resize((4000, 3000)), "JPEG", quality=90, exif=b"Exif\0\0" + bytes(5000))
    stream = io.BytesIO(data)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        survey_file(stream)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.001
