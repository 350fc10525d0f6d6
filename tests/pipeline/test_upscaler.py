import numpy as np
import pytest
from PIL import Image

import scales_cli
from scales_cli.errors import InputError, UsageError, WeightsError
from scales_cli.imaging.resize import imresize
from scales_cli.pipeline.upscaler import Upscaler


def wave(planes):
    """A residual that depends on the picture, sharpening-like."""
    return 0.3 * (planes - planes.mean())


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (9, 1), (7, 12), (1, 1, 1), (6, 5, 1), (6, 5, 2), (6, 5, 3), (6, 5, 4)]
)
def test_upscale_gives_scale_times_the_size(upscaler, rng, scale, dtype, shape):
    image = rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
    result = upscaler(scale, wave).upscale(image)
    assert result.shape == (shape[0] * scale, shape[1] * scale, *shape[2:])
    assert result.dtype == dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(7, 12), (6, 5, 2), (6, 5, 4)])
def test_upscale_takes_arrays_however_they_lie(upscaler, rng, dtype, shape):
    image = rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
    expected = upscaler(2, wave).upscale(image)
    odd = np.frombuffer(b"\0" + image.tobytes(), dtype, offset=1).reshape(shape)
    fixed = image.copy()
    fixed.flags.writeable = False
    swapped = image.astype(image.dtype.newbyteorder("S"))
    for same in (odd, fixed, swapped, np.asfortranarray(image), image.copy()[::-1, ::-1][::-1, ::-1]):
        large = upscaler(2, wave).upscale(same)
        assert large.dtype == dtype
        assert np.array_equal(large, expected)
    if len(shape) == 2:
        assert np.array_equal(upscaler(2, wave).upscale(image.view(np.matrix)), expected)


@pytest.mark.parametrize("shape", [(1, 2**20 + 1), (2**20 + 1, 1)])
def test_upscale_refuses_sides_that_are_too_long(upscaler, shape):
    image = np.zeros(shape, np.uint8)
    for picture in (image, Image.fromarray(image)):
        with pytest.raises(InputError, match="a side has more than 1048576"):
            upscaler(2).upscale(picture)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_upscale_without_residual_is_bicubic(upscaler, rng, scale):
    image = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
    expected = np.clip(np.floor(imresize(image.astype(np.float64), scale) + 0.5), 0, 255)
    assert np.array_equal(upscaler(scale).upscale(image), expected)


def test_upscale_keeps_grey(upscaler, rng):
    grey = rng.integers(0, 256, (9, 8, 1), dtype=np.uint8)
    color = upscaler(3, wave).upscale(np.repeat(grey, 3, axis=2))
    assert np.array_equal(color[..., 0], color[..., 1])
    assert np.array_equal(color[..., 0], color[..., 2])
    assert np.array_equal(upscaler(3, wave).upscale(grey)[..., 0], color[..., 0])
    assert np.array_equal(upscaler(3, wave).upscale(grey[..., 0]), color[..., 0])


def test_upscale_adds_the_residual_to_every_channel(upscaler, rng):
    image = rng.integers(60, 180, (4, 4, 3), dtype=np.uint8)
    result = upscaler(2, lambda planes: np.full_like(planes, 20 / 255)).upscale(image)
    assert np.array_equal(result, upscaler(2).upscale(image) + 20)


@pytest.mark.parametrize("threads", [0, -1, 2.5])
def test_upscalers_name_what_is_no_number_of_threads(fake_engine, threads):
    with pytest.raises(UsageError, match=f"threads is {threads}"):
        Upscaler(fake_engine(), threads=threads)


def test_upscale_shows_the_network_luma(fake_engine):
    engine = fake_engine()
    Upscaler(engine, threads=1).upscale(np.full((2, 3, 3), (255, 0, 0), np.uint8))
    assert engine.seen[0].shape == (1, 2, 3)
    assert engine.seen[0] == pytest.approx(0.299, abs=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_upscale_takes_networks_of_three_colors(upscaler, rng, channels):
    image = rng.integers(0, 256, (5, 6, channels), dtype=np.uint8)
    assert upscaler(2, wave, planes="rgb").upscale(image).shape == (10, 12, channels)


@pytest.mark.parametrize("value", [0, 3, 255])
@pytest.mark.parametrize("channels", [2, 4])
def test_upscale_keeps_constant_alpha(upscaler, rng, channels, value):
    image = rng.integers(0, 256, (6, 7, channels), dtype=np.uint8)
    image[..., -1] = value
    result = upscaler(4, wave).upscale(image)
    assert (result[..., -1] == value).all()
    assert np.array_equal(result[..., :-1], upscaler(4, wave).upscale(image[..., :-1]))


def edge_of_alpha(dtype, color, hidden):
    """One colour everywhere, fading out to the right; something else where it cannot be seen."""
    maximum = np.iinfo(dtype).max
    alpha = np.clip(np.linspace(1.5, -0.5, 24), 0, 1)
    image = np.empty((10, 24, 4), dtype)
    image[..., 3] = np.rint(alpha * maximum)
    image[..., :3] = np.where(image[..., 3:] > 0, np.array(color), np.array(hidden)) * (maximum // 255)
    return image


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_upscale_does_not_bleed_hidden_colors(upscaler, scale, dtype):
    color = np.array((40, 160, 90))
    result = upscaler(scale, wave).upscale(edge_of_alpha(dtype, color, (255, 0, 255)))
    unit = np.iinfo(dtype).max // 255
    visible = result[..., 3] >= 8 * unit
    assert visible.any()
    assert not visible.all()
    assert np.abs(result[visible][:, :3] / unit - color).max() <= 2


def test_upscale_does_not_bleed_at_hard_edges(upscaler):
    image = np.zeros((9, 9, 4), np.uint8)
    image[...] = (255, 0, 255, 0)
    image[3:6, 3:6] = (10, 200, 30, 255)
    result = upscaler(4, wave).upscale(image)
    visible = result[..., 3] >= 8
    assert np.abs(result[visible][:, :3].astype(int) - (10, 200, 30)).max() <= 2
    assert (result[result[..., 3] == 0] == 0).all()


def test_upscale_interpolates_alpha_bicubically(upscaler, rng):
    image = rng.integers(0, 256, (9, 8, 4), dtype=np.uint8)
    expected = np.clip(imresize(image[..., 3].astype(np.float64), 3), 0, 255)
    assert np.abs(upscaler(3, wave).upscale(image)[..., 3] - expected).max() <= 0.51


def test_upscale_of_visible_parts_equals_the_opaque_picture(upscaler, rng):
    """Far from transparent pixels alpha changes nothing but rounding."""
    image = rng.integers(0, 256, (16, 40, 4), dtype=np.uint8)
    image[..., 3] = 255
    image[:, 30:, 3] = 0
    opaque = upscaler(2).upscale(image[..., :3])
    result = upscaler(2).upscale(image)
    assert np.abs(result[:, :50, :3].astype(int) - opaque[:, :50]).max() <= 1


def test_upscale_keeps_grey_with_alpha_grey(upscaler, rng):
    pair = rng.integers(0, 256, (9, 8, 2), dtype=np.uint8)
    color = upscaler(2, wave).upscale(pair[..., [0, 0, 0, 1]])
    assert np.array_equal(upscaler(2, wave).upscale(pair), color[..., [0, 3]])
    assert np.array_equal(color[..., 0], color[..., 2])


def test_upscale_leaves_its_input_alone(upscaler, rng):
    image = rng.integers(0, 256, (6, 6, 4), dtype=np.uint8)
    before = image.copy()
    upscaler(2, wave).upscale(image)
    assert np.array_equal(image, before)


def test_upscale_takes_views(upscaler, rng):
    image = rng.integers(0, 256, (6, 8, 4), dtype=np.uint8)
    for view in (image[::2, ::-1], image[..., :3], image.swapaxes(0, 1)):
        assert np.array_equal(upscaler(2, wave).upscale(view), upscaler(2, wave).upscale(view.copy()))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4, 4, 0), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        [[1, 2]],
        None,
    ],
    ids=lambda value: str(getattr(value, "shape", value)),
)
def test_upscale_refuses_what_is_no_picture(upscaler, image):
    with pytest.raises(UsageError, match="not a picture"):
        upscaler().upscale(image)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_upscale_refuses_residuals_that_are_not_numbers(upscaler, value):
    with pytest.raises(WeightsError, match="not numbers"):
        upscaler(2, lambda planes: np.full_like(planes, value)).upscale(np.zeros((4, 4), np.uint8))


def test_upscale_reports_progress(upscaler):
    seen = []
    upscaler().upscale(np.zeros((4, 4), np.uint8), progress=seen.append)
    assert seen[-1] == 1


def test_upscale_from_python(weights_file, rng, tmp_path):
    from PIL import Image

    image = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image[..., 0]).save(tmp_path / "grey.png")
    for scale in (2, 4):
        model = weights_file(scale)
        result = scales_cli.upscale(image, scale=scale, model=model, threads=1)
        assert result.shape == (6 * scale, 7 * scale, 3)
        assert np.array_equal(scales_cli.upscale(tmp_path / "a.png", scale, model), result)
        assert scales_cli.upscale(str(tmp_path / "grey.png"), scale, model).shape == (6 * scale, 7 * scale)
    with pytest.raises(UsageError):
        scales_cli.upscale(image, scale=5)
