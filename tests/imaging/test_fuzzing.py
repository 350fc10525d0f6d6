"""Files of every kind, damaged at random: each is decoded or refused with a reason, in bounded time and memory."""

import contextlib
import io
import tracemalloc

import numpy as np
import pytest
import tifffile

from scales_cli.errors import InputError, MemoryLimitError
from scales_cli.imaging.files import probe_image, read_image

MAX_PIXELS = 2**22
FEW = 200


def flip(data, other, rng):
    """Some bits, most of them near the beginning, where the structure is."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 12)):
        position = int(len(data) * rng.random() ** 2)
        damaged[position] ^= 1 << rng.integers(8)
    return bytes(damaged)


def truncate(data, other, rng):
    return data[: rng.integers(len(data))]


def splice(data, other, rng):
    """The beginning of one file and the end of another."""
    cut = rng.integers(len(data))
    return data[:cut] + other[rng.integers(len(other)) :]


def overwrite(data, other, rng):
    """A number somewhere, as if a length or a side were a lie."""
    position = rng.integers(max(1, min(len(data) - 4, 200)))
    value = rng.choice([0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
    return data[:position] + int(value).to_bytes(4, rng.choice(["little", "big"])) + data[position + 4 :]


@pytest.fixture
def files(kinds, rng):
    """Pictures of every kind, and TIFF files of 16 bits, whose directory we read ourselves."""
    pixels = rng.integers(0, 65536, (17, 23, 4), dtype=np.uint16)
    deep = []
    for planar in ("contig", "separate"):
        for options in ({"rowsperstrip": 3}, {"tile": (16, 16), "compression": "deflate", "predictor": True}):
            stream = io.BytesIO()
            samples = pixels if planar == "contig" else np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
            tifffile.imwrite(
                stream, samples, photometric="rgb", planarconfig=planar, extrasamples=["assocalpha"], **options
            )
            deep.append(stream.getvalue())
    return [*kinds.values(), *deep]


@pytest.mark.parametrize("count", [FEW, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_files_are_decoded_or_refused(files, count):
    rng = np.random.default_rng(count)
    outcomes = {"decoded": 0, "refused": 0}
    for number in range(count):
        data, other = files[number % len(files)], files[rng.integers(len(files))]
        damaged = rng.choice([flip, truncate, splice, overwrite])(data, other, rng)
        try:
            header = probe_image(damaged, max_pixels=MAX_PIXELS)
            picture = read_image(damaged, max_pixels=MAX_PIXELS)
        except (InputError, MemoryLimitError):
            outcomes["refused"] += 1
        else:
            assert (header.width, header.height) == (picture.width, picture.height)
            assert picture.width * picture.height <= MAX_PIXELS
            outcomes["decoded"] += 1
    assert min(outcomes.values()) > count / 10, outcomes


def test_a_damaged_header_does_not_cost_memory(files):
    rng = np.random.default_rng(7)
    tracemalloc.start()
    try:
        for number in range(FEW):
            damaged = overwrite(files[number % len(files)], b"", rng)
            with contextlib.suppress(InputError, MemoryLimitError):
                read_image(damaged, max_pixels=2**16)
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()
