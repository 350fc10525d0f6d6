"""One picture, one result: whatever the threads, the tiling and the memory limit, once pictures are streamed."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scales_cli.engine.native_engine import NativeEngine
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.pipeline.upscalers import load

pytest.importorskip("scales_cli.engine._native")

SIDE = 70


@pytest.fixture(scope="module")
def streaming(draw_weights):
    """An `Upscaler` that streams pictures of any size."""

    @functools.cache
    def make(scale: int, planes: str, threads: int) -> Upscaler:
        weights = draw_weights(np.random.default_rng(scale), scale=scale, planes=planes, n_blocks=2)
        return Upscaler(NativeEngine(weights, threads, whole_image_pixels=0), threads=threads)

    return make


@st.composite
def pictures(draw):
    """Pixels of every kind; the content matters little, so a seed draws it."""
    height, width = draw(st.integers(1, SIDE)), draw(st.integers(1, SIDE))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = (height, width, draw(st.integers(1, 4)))
    return rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


@given(
    image=pictures(),
    scale=st.integers(2, 4),
    planes=st.sampled_from(["luma", "rgb"]),
    threads=st.integers(1, 4),
    tile=st.none() | st.integers(1, SIDE),
    budget=st.integers(0, 2**24),
)
@settings(max_examples=200)
def test_upscale_does_not_depend_on_threads_tile_or_memory(streaming, image, scale, planes, threads, tile, budget):
    height, width, channels = image.shape
    upscaler = streaming(scale, planes, threads)
    tiling, need = upscaler.engine.plan(height, width, budget=budget, pixel_bytes=channels, tile=tile)
    rows = list(upscaler.upscale_rows(image, tiling=tiling))
    assert np.array_equal(np.concatenate(rows), streaming(scale, planes, 1).upscale(image))
    assert need > 0


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("whole_image_pixels", [0, 2**18])
def test_upscale_of_flat_grey_is_flat(scale, whole_image_pixels):
    """Exactly where no padding is seen, and nearly so at the edges, where the network sees zeros around the picture."""
    upscaler = load("tiny", scale, threads=1)
    upscaler.engine.whole_image_pixels = whole_image_pixels
    margin = scale * (upscaler.engine.spec.n_convs + 2)
    for level in (0, 3, 100, 128, 255):
        large = upscaler.upscale(np.full((40, 50, 3), level, np.uint8)).astype(int)
        assert (large[margin:-margin, margin:-margin] == level).all()
        assert np.abs(large - level).max() <= 3
