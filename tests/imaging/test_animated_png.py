"""Animated PNG, put together as the PNG specification says (third edition, 11.3.6)."""

import io
import struct
import zlib
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from scales_cli.errors import InputError
from scales_cli.imaging.containers.apng import read_png_frames
from scales_cli.imaging.containers.png import SIGNATURE
from scales_cli.imaging.files import read_frames

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
NONE, BACKGROUND, PREVIOUS = range(3)
SOURCE, OVER = range(2)
SIZE = 8
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@dataclass(frozen=True)
class Part:
    samples: np.ndarray
    left: int = 0
    top: int = 0
    disposal: int = NONE
    blend: int = SOURCE
    delay: tuple[int, int] = (1, 10)


def packed(samples, bits, interlaced):
    pieces = [samples[top::down, left::right] for left, top, right, down in PASSES] if interlaced else [samples]
    rows = [row.ravel() for piece in pieces if piece.size for row in piece]
    if bits >= 8:
        return zlib.compress(b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in rows))
    digits = (np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :].ravel() for row in rows)
    return zlib.compress(b"".join(b"\0" + np.packbits(row).tobytes() for row in digits))


def control(number, part):
    height, width = part.samples.shape[:2]
    place = (part.left, part.top, *part.delay, part.disposal, part.blend)
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, *place))


def animated(parts, bits, color_type, looks=(), *, interlaced=False):
    header = struct.pack(">IIBBBBB", SIZE, SIZE, bits, color_type, 0, 0, interlaced)
    chunks = [chunk(b"IHDR", header), chunk(b"acTL", struct.pack(">II", len(parts), 0))]
    chunks += [chunk(*look) for look in looks]
    chunks += [control(0, parts[0]), chunk(b"IDAT", packed(parts[0].samples, bits, interlaced))]
    for index, part in enumerate(parts[1:]):
        data = struct.pack(">I", 2 * index + 2) + packed(part.samples, bits, interlaced)
        chunks += [control(2 * index + 1, part), chunk(b"fdAT", data)]
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def composed(parts, as_rgba):
    """What a viewer shows, in numbers with fractions."""
    canvas = np.zeros((SIZE, SIZE, 4))
    for index, part in enumerate(parts):
        before = canvas.copy()
        pixels = as_rgba(part.samples).astype(float)
        region = canvas[part.top : part.top + len(pixels), part.left : part.left + pixels.shape[1]]
        share, below = pixels[..., 3:] / 255, region[..., 3:] / 255 * (1 - pixels[..., 3:] / 255)
        if part.blend == OVER:
            color = (pixels[..., :3] * share + region[..., :3] * below) / np.maximum(share + below, 1e-9)
            pixels = np.concatenate([color, 255 * (share + below)], axis=2)
        region[:] = pixels
        yield canvas.copy()
        if part.disposal == BACKGROUND or (part.disposal == PREVIOUS and not index):
            region[:] = 0
        elif part.disposal == PREVIOUS:
            canvas = before


def check(data, parts, as_rgba, tolerance=0):
    frames = list(read_frames(data))
    for frame, expected in zip(frames, composed(parts, as_rgba), strict=True):
        assert np.abs(frame.pixels[..., 3] - expected[..., 3]).max() <= tolerance
        seen = expected[..., 3] > 0
        assert np.abs(frame.pixels[seen] - expected[seen]).max(initial=0) <= tolerance


def as_rgba(samples):
    """Of 8 bits."""
    channels = samples.shape[2]
    color = samples[..., : 1 if channels <= 2 else 3]
    alpha = samples[..., -1:] if channels in (2, 4) else np.full_like(samples[..., :1], 255)
    return np.concatenate([color] * (3 // color.shape[2]) + [alpha], axis=2)


@pytest.mark.parametrize("color_type", [GREY, RGB, GREY_ALPHA, RGBA])
def test_every_disposal_and_blend(rng, color_type):
    for disposal, blend in product((NONE, BACKGROUND, PREVIOUS), (SOURCE, OVER)):
        parts = [
            Part(rng.integers(0, 256, (height, width, CHANNELS[color_type])), left, top, *how)
            for height, width, left, top, how in (
                (8, 8, 0, 0, (disposal, SOURCE)),
                (4, 4, 2, 2, (disposal, blend)),
                (5, 3, 3, 1, (disposal, blend)),
                (2, 2, 4, 4, (PREVIOUS, OVER)),
                (1, 1, 7, 7, (NONE, OVER)),
            )
        ]
        for part in parts:
            if color_type in (GREY_ALPHA, RGBA):
                np.maximum(part.samples[..., -1], 64, out=part.samples[..., -1])  # below, colours are rounded coarsely
        check(animated(parts, 8, color_type), parts, as_rgba, tolerance=4)


def test_a_palette_and_its_transparency(rng):
    palette = np.concatenate([rng.integers(0, 256, (4, 3)), [[255], [255], [0], [128]]], axis=1)
    parts = [Part(rng.integers(0, 4, (8, 8, 1))), Part(rng.integers(0, 4, (3, 5, 1)), 1, 2, BACKGROUND, OVER)]
    parts.append(Part(rng.integers(0, 4, (1, 1, 1))))
    looks = [(b"PLTE", palette[:, :3].astype(np.uint8).tobytes()), (b"tRNS", palette[:, 3].astype(np.uint8).tobytes())]
    check(animated(parts, 2, PALETTE, looks), parts, lambda samples: palette[samples[..., 0]], tolerance=1)


def test_a_palette_that_is_repeated_is_given_to_each_frame_once(rng):
    """Or a small file would take a decoder many times its own length."""
    parts = [Part(rng.integers(0, 2, (8, 8, 1))) for _ in range(3)]
    data = animated(parts, 1, PALETTE, [(b"PLTE", bytes(6))] * 100)
    assert [frame.file.read().count(b"PLTE") for frame in read_png_frames(io.BytesIO(data))] == [1, 1, 1]


@pytest.mark.parametrize(("bits", "color_type"), [(2, GREY), (16, GREY), (16, RGB), (16, GREY_ALPHA), (16, RGBA)])
def test_other_depths_and_the_one_transparent_colour(rng, bits, color_type):
    """Numbers of 16 bits that 8 can tell, so that nothing is rounded."""
    factor = 255 / (2**bits - 1)
    levels = rng.integers(0, min(256, 2**bits), (2, 8, 8, CHANNELS[color_type]))
    levels[0, 3, 3] = 2
    values = levels * 257 if bits == 16 else levels
    key = values[0, 3, 3]
    looks = [] if color_type in (GREY_ALPHA, RGBA) else [(b"tRNS", key.astype(">u2").tobytes())]
    parts = [Part(values[0]), Part(values[1][:4])]

    def rgba(samples):
        pixels = as_rgba(np.rint(samples * factor).astype(int))
        if looks:
            pixels[..., 3] = np.where((samples == key).all(axis=2), 0, 255)
        return pixels

    check(animated(parts, bits, color_type, looks), parts, rgba)


def test_interlaced_frames(rng):
    parts = [Part(rng.integers(0, 256, (8, 8, 3))), Part(rng.integers(0, 256, (5, 3, 3)), 2, 1)]
    check(animated(parts, 8, RGB, interlaced=True), parts, as_rgba)


def test_durations_are_fractions_of_a_second(rng):
    delays = [(1, 8), (7, 0), (0, 5)]
    parts = [Part(rng.integers(0, 256, (8, 8, 3)), delay=delay) for delay in delays]
    assert [frame.duration for frame in read_frames(animated(parts, 8, RGB))] == pytest.approx([125, 70, 0])


@pytest.mark.parametrize(
    "place",
    [{"left": 5}, {"top": 2**31}, {"samples": np.zeros((0, 4, 3), int)}, {"disposal": 3}, {"blend": 2}],
    ids=str,
)
def test_a_frame_outside_the_picture_is_damaged_in_its_turn(rng, place):
    first = Part(rng.integers(0, 256, (8, 8, 3)))
    frames = read_frames(animated([first, Part(**{"samples": np.zeros((4, 4, 3), int)} | place)], 8, RGB))
    assert np.array_equal(next(frames).pixels[..., :3], first.samples)
    with pytest.raises(InputError, match="a frame of the animation is damaged"):
        next(frames)


def test_a_frame_of_missing_data_is_truncated_in_its_turn(rng):
    parts = [Part(rng.integers(0, 256, (8, 8, 3))) for _ in range(3)]
    data = animated(parts, 8, RGB)
    end = data.rindex(b"fdAT")
    for damaged, message in (
        (data[: end + 20], "truncated"),
        (data[: end - 4] + chunk(b"IEND", b""), "frame 3: "),
        (data[: end - 4] + chunk(b"fdAT", b"\0\0\0\4x") + chunk(b"IEND", b""), "frame 3: "),
        (data[: end - 4] + chunk(b"fdAT", b"\0\0\0\5") + chunk(b"IEND", b""), "damaged"),
    ):
        frames = read_frames(damaged)
        assert [len(next(frames).pixels) for _ in range(2)] == [8, 8]
        with pytest.raises(InputError, match=message):
            next(frames)
