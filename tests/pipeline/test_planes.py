"""What networks of colors see and give, in pieces of any height."""

import numpy as np
import pytest

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.random_weights import random_weights
from scales_cli.engine.base import Residual
from scales_cli.engine.composition import Addition, upscale_bicubic
from scales_cli.engine.native_engine import NativeEngine
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import UsageError
from scales_cli.pipeline.planes import PicturePlanes, additions
from scales_cli.pipeline.upscaler import Upscaler

PHOTO = NetworkSpec(scale=2, planes="ycc", strength=True, n_blocks=1)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (41, 23, 3), dtype=np.uint8)


@pytest.fixture
def photo():
    def make(threads=1, whole_image_pixels=2**18):
        engine = NativeEngine(random_weights(PHOTO, 1), threads, whole_image_pixels=whole_image_pixels)
        return Upscaler(engine, name="photo", threads=threads)

    return make


def test_strength_is_one_more_plane(picture):
    source = PicturePlanes(41, 23, PHOTO, lambda top, bottom, left, right: picture[top:bottom, left:right], 0.25)
    planes = source.read(3, 9, 0, 23)
    assert planes.shape == (4, 6, 23)
    assert (planes[3] == np.float32(0.25)).all()


@pytest.mark.parametrize("heights", [[30], [1] * 30, [1, 2, 27], [10, 10, 10], [29, 1], [2, 1, 1, 26]])
@pytest.mark.parametrize("scale", [2, 3])
def test_pieces_of_any_height_give_the_same_colors(heights, scale, rng):
    y = rng.normal(0, 0.1, (1, 30 * scale, 7 * scale)).astype(np.float32)
    chroma = rng.normal(0, 0.1, (2, 30, 7)).astype(np.float32)
    ends = np.cumsum(heights)
    pieces = (
        Residual(y[:, scale * (end - rows) : scale * end], chroma[:, end - rows : end])
        for rows, end in zip(heights, ends, strict=True)
    )
    found = [added.spread(added.rows, scale, 30) for added in additions(pieces, 30, scale, 3)]
    expected = Addition(y, 0, chroma).spread((0, 30 * scale), scale, 30)
    np.testing.assert_array_equal(np.concatenate(found), expected)


def test_one_result_for_any_tiling_and_threads(photo, picture):
    whole = photo(1, 0).upscale(picture, strength=0.5)
    for threads, tiling in [(2, None), (1, Tiling(7, 23, 3)), (3, Tiling(16, 10, 16)), (1, Tiling(41, 5, 1))]:
        rows = photo(threads, 0).upscale_rows(picture, strength=0.5, tiling=tiling)
        np.testing.assert_array_equal(np.concatenate(list(rows)), whole)


def test_strength_and_colors_matter(photo, picture):
    upscaler = photo()
    results = {upscaler.upscale(picture, strength=strength).tobytes() for strength in (0.0, 0.5, 1.0)}
    assert len(results) == 3
    plain = upscale_bicubic(picture, 2).astype(float)
    change = upscaler.upscale(picture).astype(float) - plain
    assert (change[..., 0] != change[..., 2]).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_stays_grey_whether_stored_in_one_channel_or_three(photo, dtype, rng):
    grey = rng.integers(0, np.iinfo(dtype).max + 1, (20, 30, 1)).astype(dtype)
    upscaler = photo()
    one = upscaler.upscale(grey)
    three = upscaler.upscale(grey.repeat(3, axis=2))
    np.testing.assert_array_equal(three, one.repeat(3, axis=2))


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparent_pictures_are_those_of_opaque_ones_where_they_show(photo, channels, dtype, rng):
    peak = np.iinfo(dtype).max
    colors = rng.integers(0, peak + 1, (24, 20, channels - 1)).astype(dtype)
    upscaler = photo()
    opaque = upscaler.upscale(colors)
    constant = np.concatenate([colors, np.full_like(colors[..., :1], peak // 2)], axis=2)
    np.testing.assert_array_equal(upscaler.upscale(constant)[..., :-1], opaque)
    alpha = np.full((24, 20, 1), peak, dtype)
    alpha[:, :4] = peak // 2
    mixed = upscaler.upscale(np.concatenate([colors, alpha], axis=2))
    inside = np.abs(mixed[:, 16:, :-1].astype(int) - opaque[:, 16:].astype(int))
    assert inside.max() <= peak // 255


def test_memory_plan_counts_chroma():
    luma = NativeEngine(random_weights(NetworkSpec(scale=2, n_blocks=1)), 1)
    photo = NativeEngine(random_weights(PHOTO), 1)
    needs = [engine.plan(400, 400, budget=2**40, pixel_bytes=3)[1] for engine in (luma, photo)]
    assert needs[1] - needs[0] >= 400 * 400 * 2 * 8


def test_hidden_colors_do_not_make_grey_pictures_colored(photo, rng):
    picture = np.concatenate([rng.integers(0, 256, (20, 20, 1)).repeat(3, axis=2), np.full((20, 20, 1), 255)], axis=2)
    picture = picture.astype(np.uint8)
    picture[3, 4] = (255, 0, 0, 0)
    large = photo().upscale(picture)
    assert np.ptp(large[16:, 16:, :3], axis=2).max() == 0


@pytest.mark.parametrize("strength", [-0.1, 1.5, 50])
def test_strength_lies_between_0_and_1(photo, picture, strength):
    with pytest.raises(UsageError, match="strength"):
        photo().upscale(picture, strength=strength)
