"""What files are made of, found without reading all of them, and whatever is in them."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from scales_cli.imaging.containers import boxes, gif, jpeg, png, riff
from scales_cli.imaging.containers.excerpt import excerpt


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    def __init__(self, data):
        super().__init__(data)
        self.count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


def test_chunks_of_png(saved, photo, png_chunk):
    data = saved(photo)
    head, tail = data[:33], data[33:]
    stream = Counting(head + png_chunk(b"teSt", bytes(10**6)) + tail + b"behind the end")
    chunks = list(png.read_chunks(stream))
    assert stream.count < 100
    assert [chunk.name for chunk in chunks] == [b"IHDR", b"teSt", b"IDAT", b"IEND"]
    assert chunks[1].end - chunks[1].start == 10**6
    assert png.read_chunk(stream, chunks[0])[:8] == bytes((0, 0, 0, 23, 0, 0, 0, 17))
    assert all(png.is_intact(stream, chunk) for chunk in chunks)
    stream.getbuffer()[chunks[1].start] = 1
    assert [png.is_intact(stream, chunk) for chunk in chunks] == [True, False, True, True]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_segments_of_jpeg(saved, photo, options):
    data = saved(photo, "JPEG", comment=b"hello", **options)
    segments = list(jpeg.read_segments(io.BytesIO(data + b"\xff\xe0 behind the end")))
    assert (segments[0].marker, segments[-1].marker) == (jpeg.SOI, jpeg.EOI)
    assert segments[-1].end == len(data)
    assert sum(item.marker == jpeg.SOS for item in segments) == data.count(b"\xff\xda")
    comment = next(item for item in segments if item.marker == jpeg.COM)
    assert jpeg.read_segment(io.BytesIO(data), comment) == b"hello"
    filled = data[: comment.place] + b"junk\xff\x00" + b"\xff" * 200_000 + data[comment.place :]
    names = [item.marker for item in jpeg.read_segments(io.BytesIO(filled))]
    assert names == [item.marker for item in segments]


def test_chunks_of_webp(saved, photo):
    image = Image.fromarray(photo)
    data = saved(image, "WEBP", exif=b"Exif\0\0odd")
    chunks = list(riff.read_chunks(io.BytesIO(data)))
    assert [chunk.name for chunk in chunks] == [b"VP8X", b"VP8 ", b"EXIF"]
    assert riff.read_chunk(io.BytesIO(data), chunks[2]) == b"odd"
    assert chunks[2].following == len(data)
    moving = saved(image, "WEBP", save_all=True, append_images=[Image.fromarray(photo[::-1])], lossless=True)
    frames = [chunk for chunk in riff.read_chunks(io.BytesIO(moving)) if chunk.name == b"ANMF"]
    inside = [list(riff.read_chunks(io.BytesIO(moving), frame.start + 16, frame.end)) for frame in frames]
    assert [[chunk.name for chunk in chunks] for chunks in inside] == [[b"VP8L"], [b"VP8L"]]


def walk(data):
    stream = io.BytesIO(data)
    yield from (item.end for item in png.read_chunks(stream))
    yield from (item.end for item in jpeg.read_segments(stream))
    yield from (item.end for item in riff.read_chunks(stream))
    yield from (item.end for item in boxes.read_boxes(stream))


def test_walkers_end_on_damaged_files(kinds):
    rng = np.random.default_rng(5)
    files = list(kinds.values())
    for number in range(400):
        data = bytearray(files[number % len(files)])
        for _ in range(rng.integers(1, 9)):
            data[int(len(data) * rng.random() ** 2)] = rng.choice([0, 1, 8, 0x7F, 0xFF, rng.integers(256)])
        assert len(list(walk(bytes(data[: rng.integers(len(data))])))) <= len(data)


@pytest.mark.parametrize("pattern", [b"\0", b"\xff", b"\xff\0", b"\xff\xd0", b"\xff\xda\0\2", b"\0\0\0\x08free"])
def test_walkers_take_no_longer_for_hostile_files(pattern):
    data = pattern * (2**22 // len(pattern))
    started = time.process_time()
    for count, _ in enumerate(walk(data)):
        if count > 10_000:
            break
    assert time.process_time() - started < 2


def test_excerpt_is_a_file_of_its_parts():
    rng = np.random.default_rng(6)
    data = rng.bytes(300_000)
    parts = [(0, 10), b"abc", b"", (10, 20), (20, 250_000), (100, 100), b"\0" * 70_000, (299_990, 300_000)]
    whole = b"".join(part if isinstance(part, bytes) else data[part[0] : part[1]] for part in parts)
    stream = excerpt(io.BytesIO(data), parts)
    assert stream.read() == whole
    assert stream.seek(0, 2) == len(whole)
    for _ in range(300):
        place, size = rng.integers(len(whole) + 10), int(10 ** rng.uniform(0, 5.5))
        stream.seek(place)
        assert stream.read(size) == whole[place : place + size]
    assert excerpt(io.BytesIO(data), []).read() == b""


def test_many_pieces_of_gif_are_joined_at_once():
    assert gif.joined(b"\x01a" * 2**20 + b"\0") == b"a" * 2**20  # adding one to the others took a minute and more
