"""Flat parts of pictures stay flat, to the edges, and nothing else is changed."""

import tracemalloc
from functools import partial

import numpy as np
import pytest

from scales_cli.pipeline import upscaler as upscaler_module
from scales_cli.pipeline.flats import flat_weights, flats_bytes
from scales_cli.pipeline.upscaler import crop
from scales_cli.pipeline.upscalers import load
from scales_cli.system.threads import ThreadPool


@pytest.mark.parametrize("model", ["tiny", "base", "photo-tiny"])
@pytest.mark.parametrize(("dtype", "level"), [(np.uint16, 12345), (np.uint16, 65000), (np.uint8, 77)])
def test_flat_pictures_stay_flat_to_their_edges(model, dtype, level):
    upscaler = load(model, 4, threads=1)
    for shape in ((9, 12, 1), (9, 12, 3)):
        assert (upscaler.upscale(np.full(shape, level, dtype)) == level).all()


def test_flat_parts_are_flat_beside_others(rng):
    pixels = np.full((30, 32, 3), 20_000, np.uint16)
    pixels[:, 16:] = rng.integers(0, 65536, (30, 16, 3))
    result = load("tiny", 2, threads=1).upscale(pixels)
    assert (result[:, : 2 * (16 - 2)] == 20_000).all()


@pytest.mark.parametrize("step", [(0, 1), (64, 0), (30, 100), (0, 400)])
def test_gradients_of_16_bits_are_those_of_bicubic_interpolation(step):
    """To the edges, where that bends them, by half a step."""
    down, across = step
    pixels = 5000 + np.add.outer(down * np.arange(30), across * np.arange(34)).astype(np.uint16)
    result = load("base", 4, threads=1).upscale(pixels).astype(float)
    rows, columns = ((np.arange(4 * side) + 0.5) / 4 - 0.5 for side in pixels.shape)
    difference = np.abs(result - 5000 - np.add.outer(down * rows, across * columns))
    assert difference[8:-8, 8:-8].max() <= 1
    assert difference.max() <= max(step) / 2


def test_flat_colors_stay_flat_below_transparency(rng):
    pixels = np.full((12, 14, 4), 30_000, np.uint16)
    pixels[..., 3] = rng.integers(1000, 65536, (12, 14))
    result = load("tiny", 2, threads=1).upscale(pixels)
    visible = result[..., 3] > 4000
    assert np.abs(result[..., :3][visible].astype(int) - 30_000).max() <= 65535 / 4000  # a step of what was multiplied


def test_what_changes_by_a_step_of_8_bits_is_left_to_the_network(rng, monkeypatch):
    for pixels in (
        rng.integers(0, 2, (40, 41, 3), dtype=np.uint8),
        rng.integers(0, 65536, (40, 41, 1), dtype=np.uint16),
    ):
        upscaler = load("tiny", 2, threads=1)
        settled = upscaler.upscale(pixels)
        monkeypatch.setattr(upscaler_module, "flat_weights", lambda *picture: None)
        assert np.array_equal(settled, upscaler.upscale(pixels))
        monkeypatch.undo()


@pytest.mark.parametrize("size", [(50, 700), (20, 2**11 + 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_weights_are_the_largest_difference_nearby(rng, dtype, size):
    """Of 16 bits, the largest second one. By the plainest code; in jobs, from any row on, on any threads."""
    height, width = size
    pixels = np.full((height, width, 2), 100, dtype)
    places = rng.integers(0, (height, width), (60, 2))
    pixels[places[:, 0], places[:, 1], 1] += rng.integers(0, 300 if dtype == np.uint16 else 2, 60).astype(dtype)
    if dtype == np.uint16:
        pixels += np.add.outer(3 * np.arange(height), 20 * np.arange(width)).astype(dtype)[..., None]
        beyond = {"mode": "reflect", "reflect_type": "odd"}
    else:
        beyond = {"mode": "edge"}
    padded = np.pad(pixels.astype(int), ((2, 2), (2, 2), (0, 0)), **beyond)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (0, 1))
    differences = (windows.max((3, 4)) - windows.min((3, 4))).max(2)
    if dtype == np.uint16:
        across, down = np.diff(windows, axis=4), np.diff(windows, axis=3)
        bends = [np.diff(across, axis=4), np.diff(down, axis=3), np.diff(across, axis=3)]
        differences = np.max([np.abs(values).max((2, 3, 4)) for values in bends], axis=0) / 257
    expected = np.minimum(differences, 1).astype(np.float32)
    for first, last in ((0, height), (7, 18)):
        read = lambda top, bottom, left, right: pixels[top:bottom, left:right]  # noqa: E731
        for threads in (1, 2):
            found = flat_weights(read, (height, width), (first, last), ThreadPool(threads))
            assert np.allclose(found, expected[first:last], atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(3, 40_000), (40, 3000), (300, 300), (9000, 2), (20_000, 1)])
def test_flats_take_no_more_than_foretold(rng, dtype, size):
    """On one thread, as numpy counts; and hardly less, or pictures would be refused that fit."""
    pixels = rng.integers(0, np.iinfo(dtype).max, (*size, 3), dtype)
    tracemalloc.start()
    try:
        flat_weights(partial(crop, pixels), size, (0, size[0]), ThreadPool(1))
        taken = tracemalloc.get_traced_memory()[1] - 4 * size[0] * size[1]
    finally:
        tracemalloc.stop()
    assert 0.3 < taken / flats_bytes(*size, 3, pixels.itemsize, 1) <= 1
    assert flats_bytes(*size, 3, pixels.itemsize, 64) <= 64 * flats_bytes(*size, 3, pixels.itemsize, 1)
