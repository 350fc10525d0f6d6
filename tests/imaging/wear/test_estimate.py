import io
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scales_cli.evaluation.drawn import drawn_pictures
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Details
from scales_cli.imaging.resize import imresize
from scales_cli.imaging.wear.estimate import LEAST, Wear, estimate_wear

PNG = Details()


@pytest.fixture(scope="module")
def drawn():
    return drawn_pictures()


@pytest.fixture
def scene(rng):
    """A picture with light, shade and detail [320, 384, 3], which no coder has touched."""
    coarse = rng.integers(40, 216, (10, 12, 3), dtype=np.uint8)
    smooth = np.array(Image.fromarray(coarse).resize((384, 320), Image.Resampling.BICUBIC)).astype(float)
    y, x = np.mgrid[:320, :384]
    detail = 14 * np.sin(x * y / 900)[..., None] * (x > 192)[..., None]
    return np.clip(smooth + detail, 1, 254).astype(np.uint8)


def noisy(pixels, sigma, rng, *, grey=False):
    noise = rng.normal(0, sigma, (*pixels.shape[:2], 1 if grey else 3))
    return np.clip(np.floor(pixels + noise + 0.5), 0, 255).astype(np.uint8)


def recoded(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    with Image.open(stream) as image:
        return np.asarray(image.convert("RGB"))


def test_strength_is_that_of_training_and_half_of_it_for_noise():
    assert Wear().strength == 0.0
    assert Wear(jpeg=25).strength == Wear(jpeg=3).strength == 1.0
    assert Wear(jpeg=62.5).strength == 0.5
    assert Wear(noise=4).strength == pytest.approx(0.2)
    assert Wear(jpeg=62.5, noise=14).strength == pytest.approx(0.7)
    assert Wear(jpeg=99.9).strength == LEAST


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_drawn_pictures_are_clean(drawn, scale):
    for name, pixels in drawn.items():
        small = np.asarray(imresize(pixels, 1 / scale), np.uint8)
        assert estimate_wear(small, PNG) == Wear(), name


def test_patterns_are_clean(rng):
    y, x = np.mgrid[:200, :240]
    plain = np.full((200, 240), 90, np.uint8)
    ramp = (x * 0.8 + y * 0.2 + 10).astype(np.uint8)
    checks = np.where((x // 8 + y // 8) % 2, 200, 60).astype(np.uint8)
    pixels = np.where((x + y) % 2, 140, 120).astype(np.uint8)
    dots = np.where(np.hypot(x % 7 - 3, y % 7 - 3) < 2.2, 40, 230).astype(np.uint8)
    dithered = np.asarray(Image.fromarray(ramp).convert("1").convert("L"))
    palette = np.asarray(Image.fromarray(np.dstack([ramp, ramp.T[:200, :1] + ramp, ramp])).quantize(12).convert("L"))
    art = np.kron(rng.integers(0, 4, (25, 30)), np.ones((8, 8))).astype(np.uint8) * 60 + 30
    harsh = np.where((x // 2 + y // 2) % 2, 254, 1).astype(np.uint8)
    for picture in (harsh, plain, ramp, checks, pixels, dots, dithered, palette, art):
        assert estimate_wear(picture[..., None], PNG) == Wear()


@pytest.mark.parametrize("quality", [15, 30, 60, 75, 90])
def test_an_earlier_jpeg_is_seen_wherever_its_blocks_begin(scene, quality):
    coded = recoded(scene, quality=quality)
    for top, left in ((0, 0), (3, 5), (7, 0)):
        assert estimate_wear(coded[top:, left:], PNG).jpeg == pytest.approx(quality, abs=1)


def test_an_earlier_jpeg_is_seen_in_grey_and_16_bits(scene):
    coded = recoded(scene, quality=50)
    grey = np.asarray(Image.fromarray(recoded(scene[..., 0], quality=50)).convert("L"))[..., None]
    deep = coded.astype(np.uint16) * 257
    assert estimate_wear(deep, PNG) == estimate_wear(coded, PNG)
    assert estimate_wear(grey, PNG).jpeg == pytest.approx(50, abs=1)
    assert estimate_wear(coded, PNG).jpeg == pytest.approx(50, abs=1)


def test_a_file_s_own_quality_counts_unless_an_earlier_one_was_much_lower(scene, saved):
    file = read_image(saved(scene, "JPEG", quality=83))
    assert estimate_wear(file.pixels, file).jpeg == 83
    again = read_image(saved(recoded(scene, quality=30)[4:, 4:], "JPEG", quality=97))
    assert estimate_wear(again.pixels, again).jpeg in (30, 97)
    assert estimate_wear(scene, Details(format=ImageFormat.JPEG, lossless=False)).jpeg == 75


def test_other_lossy_formats_count_half(scene):
    assert estimate_wear(scene, Details(format=ImageFormat.WEBP, lossless=False)).jpeg == 87.5
    assert estimate_wear(scene, Details(format=ImageFormat.AVIF)).jpeg == 87.5
    assert estimate_wear(scene, Details(format=ImageFormat.WEBP)) == Wear()


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_noise_is_measured(scene, rng, grey):
    share = 1.0 if grey else float(np.linalg.norm([0.299, 0.587, 0.114]))
    found = []
    for sigma in (0, 4, 6, 9, 14, 20):
        wear = estimate_wear(noisy(scene, sigma, rng, grey=grey), PNG)
        assert wear.jpeg == 100
        assert wear.noise == pytest.approx(share * sigma, rel=0.15)
        found.append(wear.noise)
    assert found == sorted(found)
    assert found[0] == 0


def test_noise_in_blown_lights_is_measured(rng):
    paper = np.full((120, 160, 3), 252, np.uint8)
    paper[20:24, 30:90] = 20
    assert 3 < estimate_wear(noisy(paper, 10, rng), PNG).noise < 7
    half = np.full((128, 256, 3), 120, np.uint8)
    half[:, :128] = 255
    seen = noisy(half, 8, rng)
    seen[:, :128] = 255
    assert estimate_wear(seen, PNG).noise == pytest.approx(8 * 0.669, rel=0.15)


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
@pytest.mark.parametrize("correlated", [False, True], ids=["white", "correlated"])
@pytest.mark.parametrize(("name", "scale"), [("document", 1), ("document", 4), ("line_art", 2)])
def test_noise_on_white_paper_is_measured(drawn, rng, name, scale, correlated, grey):
    """Scans, whose paper is as bright as can be: half of the noise is cut off."""
    pixels = np.asarray(imresize(drawn[f"drawn-{name}"], 1 / scale), np.uint8)
    share = 1.0 if grey else float(np.linalg.norm([0.299, 0.587, 0.114]))
    for sigma in (5, 10, 15, 20):
        noise = rng.normal(0, 1, (*pixels.shape[:2], 1 if grey else 3))
        if correlated:
            spread = [0.2, 0.6, 0.2]
            for axis in (0, 1):
                noise = sum(w * np.roll(noise, place, axis) for place, w in enumerate(spread))
            noise /= np.linalg.norm(spread) ** 2
        seen = np.clip(np.floor(pixels + sigma * noise + 0.5), 0, 255).astype(np.uint8)
        for picture in (seen, 255 - seen):
            wear = estimate_wear(picture, PNG)
            assert wear.jpeg == 100
            assert wear.noise == pytest.approx(share * sigma, rel=0.2)


def test_what_is_nearly_white_is_clean(rng):
    """Ramps, dither, patterns and soft edges beside white are no noise."""
    y, x = np.mgrid[:160, :200]
    ramp = np.minimum(225 + x * 0.3 + y * 0.1, 255)
    checks = np.where((x + y) % 2, 255, 240)
    dots = np.where(np.hypot(x % 7 - 3, y % 7 - 3) < 2.2, 235, 255)
    weave = 255 - 20 * (np.sin(x / 2) * np.sin(y / 2) > 0) * np.abs(np.sin(x / 5))
    shades = 246 + 3 * (x * 4 // 200)
    ordered = np.where(shades / 255 + np.array([[0, 2], [3, 1]])[y % 2, x % 2] / 100 > 1, 255, shades)
    lines = 255 - 60 * np.exp(-(((x + y / 3) % 9 - 4.5) ** 2))
    for picture in (ramp, checks, dots, weave, ordered, lines):
        pixels = np.floor(picture).astype(np.uint8)[..., None]
        assert estimate_wear(pixels, PNG) == Wear()
        assert estimate_wear(255 - pixels, PNG) == Wear()


def test_only_pixels_count(scene, rng):
    """Not how they lie in memory, nor what is beside them."""
    worn = noisy(scene, 6, rng)
    expected = estimate_wear(worn, PNG)
    buffer = np.zeros((worn.shape[1], worn.shape[0], 4), np.uint8)
    buffer[..., :3], buffer[..., 3] = worn.swapaxes(0, 1), 255
    assert estimate_wear(buffer.swapaxes(0, 1), PNG) == expected
    assert estimate_wear(np.asfortranarray(worn), PNG) == expected
    hidden = np.dstack([worn, np.zeros(worn.shape[:2], np.uint8)])
    assert estimate_wear(hidden, PNG) == Wear()


def test_large_pictures_are_looked_at_in_windows(scene, rng):
    worn = recoded(noisy(np.tile(scene, (7, 9, 1)), 0, rng), quality=60)[5:, 2:]
    assert worn.shape[0] * worn.shape[1] > 2**22
    assert estimate_wear(worn, PNG).jpeg == 60
    assert estimate_wear(noisy(np.tile(scene, (7, 9, 1)), 8, rng), PNG).noise == pytest.approx(5.35, rel=0.15)
    assert estimate_wear(np.zeros((3, 2**20, 3), np.uint8), PNG) == Wear()


def test_estimate_is_the_same_with_any_number_of_threads(tmp_path, scene, rng):
    np.save(tmp_path / "worn.npy", noisy(scene, 6, rng))
    program = (
        "import sys, numpy as np\n"
        "from scales_cli.imaging.picture import Details\n"
        "from scales_cli.imaging.wear.estimate import estimate_wear\n"
        "print(estimate_wear(np.load(sys.argv[1]), Details()))"
    )
    results = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", program, str(tmp_path / "worn.npy")]
        results.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(results) == 1


@given(st.data())
def test_estimate_never_fails_and_stays_in_range(data):
    shape = (data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70)), data.draw(st.integers(1, 4)))
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    top = np.iinfo(dtype).max
    low, high = sorted(data.draw(st.tuples(st.integers(0, top), st.integers(0, top))))
    pixels = rng.integers(low, high, shape, dtype=dtype, endpoint=True)
    details = Details(
        format=data.draw(st.sampled_from(ImageFormat)),
        lossless=data.draw(st.booleans()),
        coded_quality=data.draw(st.none() | st.floats(0, 100)),
    )
    wear = estimate_wear(pixels, details)
    assert 0 <= wear.jpeg <= 100
    assert 0 <= wear.noise < 255
    assert 0 <= wear.strength <= 1
    assert wear == estimate_wear(pixels.copy(), details)
