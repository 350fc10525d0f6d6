"""AVIF of 8 to 12 bits, and its properties that say what of the stored picture is seen, and how."""

import io
import struct

import numpy as np
import pytest

from scales_cli.imaging.containers.avif import Avif, read_avif
from scales_cli.imaging.decoding import read_header
from scales_cli.imaging.files import read_image
from scales_cli.imaging.readers import avif16

imagecodecs = pytest.importorskip("imagecodecs")


def with_properties(data, *properties):
    """An AVIF of one item with further properties, (kind, content) each."""
    data = bytearray(data)

    def grow(name, size):
        place = data.index(name) - 4
        data[place : place + 4] = struct.pack(">I", struct.unpack_from(">I", data, place)[0] + size)

    start = data.index(b"ipco") + 4
    end = start - 8 + struct.unpack_from(">I", data, start - 8)[0]
    count, position = 0, start
    while position < end:
        position += struct.unpack_from(">I", data, position)[0]
        count += 1
    boxes = b"".join(struct.pack(">I4s", 8 + len(content), kind) + content for kind, content in properties)
    item = data.index(b"ipma") + 4 + 8 + 2
    indices = bytes(0x80 | count + 1 + index for index in range(len(properties)))
    data[item + 1 + data[item] : item + 1 + data[item]] = indices
    data[item] += len(properties)
    data[end:end] = boxes
    for name in (b"ipco", b"ipma", b"iprp", b"meta"):
        grow(name, {b"ipco": len(boxes), b"ipma": len(indices)}.get(name, len(boxes) + len(indices)))
    place = data.index(b"iloc") + 4 + 8
    for _ in range(struct.unpack_from(">H", data, place - 2)[0]):
        offset = struct.unpack_from(">I", data, place + 6)[0]
        data[place + 6 : place + 10] = struct.pack(">I", offset + len(boxes) + len(indices))
        place += 14
    return bytes(data)


def clean_aperture(width, height, left, top, size):
    """`clap` that leaves width x height from (left, top) on."""
    right, down = 2 * left + width - size[0], 2 * top + height - size[1]
    return b"clap", struct.pack(">IIIIiIiI", width, 1, height, 1, right, 2, down, 2)


def coded(pixels, depth=8):
    layout = "i400" if pixels.shape[2] < 3 else "444"
    return imagecodecs.avif_encode(pixels, level=100, bitspersample=depth, pixelformat=layout, speed=9)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_depth_is_read_at_full_range(rng, depth, channels):
    top = 2**depth - 1
    pixels = rng.integers(0, top + 1, (6, 8, channels), dtype=np.uint16)
    pixels[0] = np.array([0, top, top - 1, top // 2, 1, 2, top // 2 + 1, top])[:, None]
    pixels = pixels if depth > 8 else pixels.astype(np.uint8)
    data = coded(pixels, depth)
    picture, header = read_image(data), read_header(io.BytesIO(data))
    full = 255 if depth == 8 else 65535
    assert np.abs(picture.pixels - pixels * (full / top)).max() <= full / top + 0.5  # the loss of its best quality
    assert picture.pixels.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert (header.layout.channels, header.layout.dtype) == (channels, picture.pixels.dtype)
    assert picture.notes == ()


def test_deep_grey_with_alpha_has_8_bits_and_a_note(rng):
    pixels = rng.integers(0, 1024, (6, 8, 2), dtype=np.uint16)
    picture = read_image(coded(pixels, 10))
    assert picture.notes == ("its 10 bits a channel were read as 8",)
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels[..., [0, 3]] / 65535 - pixels / 1023).max() < 1 / 255


def test_what_two_decoders_do_not_agree_on_is_not_believed(rng, monkeypatch):
    pixels = rng.integers(0, 1024, (6, 8, 3), dtype=np.uint16)
    monkeypatch.setattr(avif16, "decode_deep", lambda file, size: np.full((6, 8, 3), 1023, np.uint16))
    picture = read_image(coded(pixels, 10))
    assert picture.notes == ("its 10 bits a channel were read as 8",)
    assert np.abs(picture.pixels / 65535 - pixels / 1023).max() < 2 / 255


@pytest.mark.parametrize("depth", [8, 10])
def test_the_clean_aperture_is_cut_out_and_then_turned(rng, depth):
    pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    data = coded(pixels.astype(np.uint16) * 4 if depth == 10 else pixels, depth)
    whole = read_image(data).pixels
    aperture = clean_aperture(10, 8, 3, 5, (30, 20))
    for more, turn in (((), 0), (((b"irot", b"\1"),), 1), (((b"irot", b"\3"),), -1)):
        turned = with_properties(data, aperture, *more)
        picture, header = read_image(turned), read_header(io.BytesIO(turned))
        assert np.array_equal(picture.pixels, np.rot90(whole[5:13, 3:13], turn))
        assert (header.width, header.height) == (picture.width, picture.height)


@pytest.mark.parametrize(
    ("properties", "turn"),
    [
        ([(b"irot", b"\2")], lambda a: a[::-1, ::-1]),
        ([(b"imir", b"\0")], lambda a: a[::-1]),
        ([(b"imir", b"\1")], lambda a: a[:, ::-1]),
        ([(b"irot", b"\1"), (b"imir", b"\0")], lambda a: np.rot90(a)[::-1]),
        ([(b"irot", b"\3"), (b"imir", b"\1")], lambda a: np.rot90(a, -1)[:, ::-1]),
    ],
)
def test_rotation_and_mirroring_are_applied(rng, properties, turn):
    data = coded(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    assert np.array_equal(read_image(with_properties(data, *properties)).pixels, turn(read_image(data).pixels))


def test_an_aperture_that_is_no_part_of_the_picture_is_ignored(rng):
    data = coded(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    for width, left in ((40, 0), (10, 25), (10, -5)):
        assert read_image(with_properties(data, clean_aperture(width, 8, left, 0, (30, 20)))).pixels.shape == (
            20,
            30,
            3,
        )


def test_damaged_boxes_say_nothing(rng):
    """They raise nothing either: what is wrong with a file, its decoder says."""
    data = with_properties(coded(np.zeros((20, 30, 3), np.uint8)), clean_aperture(10, 8, 3, 5, (30, 20)))
    end = data.index(b"mdat")
    for _ in range(400):
        damaged = bytearray(data)
        for place in rng.integers(0, end, rng.integers(1, 6)):
            damaged[place] = rng.choice([0, 1, 128, 255])
        assert isinstance(read_avif(io.BytesIO(damaged[: rng.integers(8, len(data))])), Avif)
