import numpy as np
import pytest
from PIL import Image

from scales_cli.imaging.picture import Layout
from scales_cli.pipeline.resampling import resample_rows, resampling_bytes

SIZES = [(30, 40), (59, 79), (17, 55), (1, 1), (60, 3)]  # of a picture of 60 x 80


def resampled(pixels, size, step=7):
    pieces = (pixels[top : top + step] for top in range(0, len(pixels), step))
    return np.concatenate(list(resample_rows(pieces, len(pixels), size)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strips_equal_the_whole(rng, size, dtype):
    pixels = rng.integers(0, np.iinfo(dtype).max + 1, (80, 60, 3), dtype=dtype)
    result = resampled(pixels, size)
    assert (result.shape, result.dtype) == ((size[1], size[0], 3), dtype)
    for channel in range(3):
        plane = Image.fromarray(pixels[..., channel].astype(np.float32))
        whole = np.asarray(plane.resize(size, Image.Resampling.LANCZOS)).clip(0, np.iinfo(dtype).max)
        assert np.abs(result[..., channel] - whole).max() <= (0.51 if dtype is np.uint8 else 0.55)


@pytest.mark.parametrize("size", SIZES)
def test_the_result_does_not_depend_on_the_pieces(rng, size):
    pixels = rng.integers(0, 256, (80, 60, 4), dtype=np.uint8)
    results = [resampled(pixels, size, step) for step in (1, 5, 33, 80)]
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("value", [0, 137, 255])
def test_flat_pictures_stay_flat(value):
    assert (resampled(np.full((40, 50, 1), value, np.uint8), (33, 27)) == value).all()


def test_hidden_colors_do_not_bleed():
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[..., :3] = (255, 0, 255)  # under alpha 0
    pixels[16:48, 16:48] = (0, 100, 0, 255)
    result = resampled(pixels, (45, 45))
    seen = result[result[..., 3] >= 8]
    assert len(seen) > 400
    assert np.abs(seen[:, :3].astype(int) - (0, 100, 0)).max() <= 2


def test_resampling_bytes_bound_what_is_held(rng):
    import tracemalloc

    layout = Layout(3000, 2000, 4, np.dtype(np.uint16))
    pieces = (np.zeros((10, 3000, 4), np.uint16) for _ in range(200))
    tracemalloc.start()
    try:
        for _ in resample_rows(pieces, 2000, (2250, 1500)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= resampling_bytes(layout, (2250, 1500)) <= 3 * peak
