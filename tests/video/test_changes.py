"""What did not change is not computed again, and nobody sees that it was not."""

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.load import load_engine
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.video.changes import changed_regions
from scales_cli.video.enlarger import FrameEnlarger
from scales_cli.video.frame import Frame, PixelFormat, VideoFormat

SPEC = NetworkSpec(n_blocks=2)


def planes_with_changes(rng, height, width, places):
    before = rng.random((1, height, width), dtype=np.float32)
    after = before.copy()
    for y, x in places:
        after[0, y, x] += 1
    return before, after


def covered(regions, height, width):
    mask = np.zeros((height, width), bool)
    for top, bottom, left, right in regions:
        mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_all_that_the_network_sees_is_covered(rng, threads):
    reach = SPEC.receptive_field
    for _ in range(30):
        height, width = (int(side) for side in rng.integers(1, 300, 2))
        places = [(int(rng.integers(height)), int(rng.integers(width))) for _ in range(rng.integers(1, 60))]
        regions = changed_regions(*planes_with_changes(rng, height, width, places), SPEC, threads)
        mask = covered(regions, height, width)
        for y, x in places:
            assert mask[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].all()
        assert len(regions) <= 32 * threads


def test_no_change_is_no_region(rng):
    planes = rng.random((2, 40, 50), dtype=np.float32)
    assert changed_regions(planes, planes.copy(), SPEC, 2) == []


def test_a_small_change_is_a_small_region(rng):
    (region,) = changed_regions(*planes_with_changes(rng, 400, 600, [(200, 300)]), SPEC, 1)
    assert (region.bottom - region.top) * (region.right - region.left) <= 32 * 32


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_is_new_as_a_whole_is_shared_out(rng, threads):
    _, planes = planes_with_changes(rng, 200, 300, [])
    regions = changed_regions(None, planes, SPEC, threads)
    assert len(regions) == threads
    assert covered(regions, 200, 300).all()


@pytest.mark.parametrize("ensemble", [1, 8])
@pytest.mark.parametrize("planes", ["luma", "ycc"])
def test_the_bytes_are_those_without_reuse(random_weights, rng, planes, ensemble):
    """Patches that move over a still picture: the one enlarger remembers the last frame, the other forgets it."""
    engine = load_engine(random_weights(scale=2, n_blocks=2, planes=planes), threads=2)
    upscaler = Upscaler(engine, name="random", threads=2, ensemble=ensemble)
    size, pixels = (96, 80), PixelFormat()
    still = [rng.integers(0, 256, shape, np.uint8) for shape in pixels.shapes(*size)]
    remembers, forgets = (FrameEnlarger(upscaler, VideoFormat(*size, pixels), (192, 160)) for _ in range(2))
    computed = []
    for index in range(4):
        moved = [plane.copy() for plane in still]
        moved[0][10 + 9 * index : 14 + 9 * index, 20:26] = 255
        moved[1][-1, -1] = index
        forgets._seen = None
        one, other = (enlarger.enlarge(Frame(tuple(moved))) for enlarger in (remembers, forgets))
        for found, expected in zip(one.planes, other.planes, strict=True):
            assert np.array_equal(found, expected)
        computed.append(one.planes[0])
    assert not np.array_equal(computed[0], computed[-1])
