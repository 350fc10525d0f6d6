"""Frames enlarged: luma as pictures are, whatever their depth, range, threads and history; noise does not flicker."""

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")

from scales_cli.engine.load import load_engine
from scales_cli.errors import InputError, UsageError, WeightsError
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.pipeline.upscalers import load
from scales_cli.video.enlarger import FrameEnlarger
from scales_cli.video.frame import Frame, PixelFormat, VideoFormat

GREY = PixelFormat(None, 8, full_range=True)
BLACK = 16
SPAN = 219


def smooth(rng, height, width, low=40, high=200):
    """A picture with edges and slopes, in floats."""
    y, x = np.mgrid[:height, :width]
    values = np.sin(x / 5 + rng.uniform(0, 6)) + np.cos(y / 7) + np.sign(np.sin((x + y) / 9))
    return low + (high - low) * (values - values.min()) / np.ptp(values)


def frame_of(luma, pixels=GREY, chroma=None):
    planes = [np.round(luma).astype(pixels.dtype)]
    for shape in pixels.shapes(*luma.shape[::-1])[1:]:
        planes.append(np.full(shape, pixels.neutral if chroma is None else chroma, pixels.dtype))
    return Frame(tuple(planes), pts=7, duration=1)


def enlarger_for(upscaler, pixels, height, width, size=None, **options):
    video = VideoFormat(width, height, pixels)
    size = size or (width * upscaler.scale, height * upscaler.scale)
    return FrameEnlarger(upscaler, video, size, **options)


@pytest.fixture(scope="module")
def tiny():
    return load("tiny", 2, threads=1)


@pytest.mark.parametrize("ensemble", [1, 4])
def test_a_frame_is_enlarged_as_the_picture_of_its_luma(rng, tiny, ensemble):
    """So small a frame is one window of channel gates."""
    luma, upscaler = smooth(rng, 24, 32), Upscaler(tiny.engine, name="tiny", threads=1, ensemble=ensemble)
    result = enlarger_for(upscaler, GREY, 24, 32).enlarge(frame_of(luma))
    expected = upscaler.upscale(np.round(luma).astype(np.uint8))
    assert (result.pts, result.duration) == (7, 1)
    assert np.array_equal(result.planes[0], expected)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(rng, tiny, threads):
    luma = smooth(rng, 40, 300)
    one = enlarger_for(tiny, GREY, 40, 300).enlarge(frame_of(luma))
    other = enlarger_for(load("tiny", 2, threads=threads), GREY, 40, 300).enlarge(frame_of(luma))
    assert np.array_equal(one.planes[0], other.planes[0])


def moving_frames(rng, height, width):
    """A scene of which first all moves, then a part and nothing, and then another scene."""
    pixels, scene = PixelFormat(), smooth(rng, height, width)
    shifted = [np.roll(scene, shift, axis=1) for shift in (0, 1, 2)]
    patched = shifted[2].copy()
    patched[4:9, 10:20] = 30
    return [frame_of(luma, pixels, 90 + index) for index, luma in enumerate([*shifted, patched, patched, 255 - scene])]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_frames_in_work_at_once_are_as_one_after_the_other(rng, threads):
    frames = moving_frames(rng, 40, 100)
    alone, together = (enlarger_for(load("tiny", 2, threads=count), PixelFormat(), 40, 100) for count in (1, threads))
    expected = [alone.enlarge(frame) for frame in frames]
    found = list(together.enlarge_all(frames))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert all(np.array_equal(*planes) for planes in zip(one.planes, other.planes, strict=True))


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_before_damage_are_given(rng, threads):
    frames, found = moving_frames(rng, 24, 32), []

    def damaged():
        yield from frames[:4]
        raise InputError("the rest is gone")

    enlarger = enlarger_for(load("tiny", 2, threads=threads), PixelFormat(), 24, 32)
    with pytest.raises(InputError, match="the rest is gone"):
        found.extend(frame.pts for frame in enlarger.enlarge_all(damaged()))
    assert len(found) == 4


def test_values_that_are_no_numbers_are_refused(random_weights, rng):
    weights = random_weights(scale=2, n_blocks=1)
    weights.tensors["tail.bias"][:] = np.inf
    enlarger = enlarger_for(Upscaler(load_engine(weights, threads=2), threads=2), GREY, 24, 32)
    for luma in (smooth(rng, 24, 32), np.full((24, 32), 90)):
        with pytest.raises(WeightsError):
            enlarger.enlarge(frame_of(luma))


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_depth_and_range_say_the_same(rng, tiny, depth):
    """Codes of any kind for one picture become codes of that kind for one result, but for their rounding."""
    luma = smooth(rng, 40, 60)
    full = enlarger_for(tiny, PixelFormat(None, 16, True), 40, 60).enlarge(
        frame_of(luma * 257, PixelFormat(None, 16, True))
    )
    pixels = PixelFormat(None, depth)
    codes = (BLACK + SPAN * luma / 255) * (1 << (depth - 8))
    limited = enlarger_for(tiny, pixels, 40, 60).enlarge(frame_of(codes, pixels))
    shown = (limited.planes[0] / (1 << (depth - 8)) - BLACK) * 255 / SPAN
    # Rounded inputs turn binary activations over; most of the picture agrees within a level.
    assert np.percentile(np.abs(shown - full.planes[0] / 257), 90) < (2 if depth == 8 else 1)


def test_flat_frames_stay_flat_beyond_black_and_white_too(tiny):
    for code in (0, 5, 128, 250, 255):
        result = enlarger_for(tiny, PixelFormat(), 16, 16).enlarge(frame_of(np.full((16, 16), code), PixelFormat()))
        assert (result.planes[0] == code).all()


def test_samples_larger_than_their_depth_do_not_wrap(tiny):
    pixels = PixelFormat(None, 10)
    frame = Frame((np.full((16, 16), 65535, np.uint16),))
    assert enlarger_for(tiny, pixels, 16, 16).enlarge(frame).planes[0].min() > 1000


def test_other_sizes(rng, tiny):
    pixels = PixelFormat()
    result = enlarger_for(tiny, pixels, 40, 60, size=(90, 60)).enlarge(frame_of(smooth(rng, 40, 60), pixels))
    assert [plane.shape for plane in result.planes] == [(60, 90), (30, 45), (30, 45)]


@pytest.mark.parametrize("strength", [None, 0.4])
def test_networks_that_see_chroma(random_weights, rng, strength):
    upscaler = Upscaler(load_engine(random_weights(scale=2, planes="ycc", strength=True)), name="photo", threads=1)
    pixels = PixelFormat(left=True)
    luma = smooth(rng, 24, 32)
    grey = enlarger_for(upscaler, pixels, 24, 32, strength=strength).enlarge(frame_of(luma, pixels))
    assert all((plane == 128).all() for plane in grey.planes[1:])
    colored = enlarger_for(upscaler, pixels, 24, 32, strength=strength).enlarge(frame_of(luma, pixels, 90))
    assert colored.planes[1].std() > 0


def test_strength_is_for_networks_that_are_told(tiny):
    with pytest.raises(UsageError, match="does not mend"):
        enlarger_for(tiny, GREY, 16, 16, strength=0.5).enlarge(frame_of(np.zeros((16, 16))))


def test_auto_chooses_by_the_scene(rng):
    """A clean frame goes to the one network, a noisy one to the other."""
    auto, clean = load("auto", 4, threads=1), smooth(rng, 96, 96)
    noisy = np.clip(clean + 15 * rng.standard_normal(clean.shape), 0, 255)
    for luma in (clean, noisy):
        frame = frame_of(luma)
        chosen = auto.choose(frame.planes[0][..., None])
        expected = enlarger_for(chosen.upscaler, GREY, 96, 96, strength=chosen.strength).enlarge(frame)
        assert np.array_equal(enlarger_for(auto, GREY, 96, 96).enlarge(frame).planes[0], expected.planes[0])
    assert chosen.strength


def test_equal_frames_stay_equal(rng, tiny):
    """Also among others: what is kept of a frame is not changed by what is made of it."""
    enlarger = enlarger_for(tiny, GREY, 40, 60)
    frame = frame_of(smooth(rng, 40, 60))
    results = [enlarger.enlarge(frame).planes[0] for _ in range(4)]
    assert all(np.array_equal(results[0], result) for result in results[1:])


def test_after_a_cut_all_is_new(rng, tiny):
    enlarger = enlarger_for(tiny, GREY, 24, 32)
    dark, light = frame_of(smooth(rng, 24, 32, 0, 80)), frame_of(smooth(rng, 24, 32, 150, 255))
    enlarger.enlarge(dark)
    assert np.array_equal(enlarger.enlarge(light).planes[0], tiny.upscale(light.planes[0]))


@pytest.mark.parametrize("scale", [2, 4])
def test_noise_does_not_flicker(rng, scale):
    """A still scene with noise of a quarter level, of 16 bits: the output changes at most twice as much as bicubic's.

    Each frame alone, it would be more: that is asserted, too, or steadiness would be no news.
    """
    from scales_cli.engine.composition import upscale_bicubic

    upscaler = load("tiny", scale, threads=1)
    pixels = PixelFormat(None, 16, True)
    scene = smooth(rng, 64, 64) * 257
    scene += rng.integers(-1500, 1500, (16, 16)).repeat(4, 0).repeat(4, 1)
    enlarger = enlarger_for(upscaler, pixels, 64, 64)
    steady, alone, bicubic = [], [], []
    for _ in range(8):
        frame = frame_of(scene + 257 / 4 * rng.standard_normal(scene.shape), pixels)
        steady.append(enlarger.enlarge(frame).planes[0].astype(float))
        alone.append(upscaler.upscale(frame.planes[0]).astype(float))
        bicubic.append(upscale_bicubic(frame.planes[0][..., None], scale)[..., 0].astype(float))

    def change(frames):
        return np.sqrt(np.mean((frames[-1] - frames[-2]) ** 2))

    assert change(steady) < 1.3 * change(bicubic)
    assert change(alone) > 1.6 * change(bicubic)
