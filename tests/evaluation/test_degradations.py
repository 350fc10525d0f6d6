"""The known degradations: files as people have them, the same each time."""

import io

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import UsageError
from scales_cli.evaluation.degradations import DEGRADATIONS, degradations
from scales_cli.evaluation.drawn import SIDE, drawn_pictures
from scales_cli.imaging.metrics import psnr
from scales_cli.imaging.resize import imresize

KNOWN = {item.name: item for item in DEGRADATIONS}


@pytest.fixture(scope="module")
def comic():
    return drawn_pictures()["drawn-comic"]


def opened(file):
    with Image.open(io.BytesIO(file)) as image:
        return np.array(image.convert("RGB"))


def test_there_are_21_with_names_of_their_own():
    assert len(KNOWN) == len(DEGRADATIONS) == 21


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("scale", [2, 4])
def test_each_is_repeatable_and_no_better_than_clean(name, scale, comic):
    clean = np.asarray(imresize(comic, 1 / scale), np.uint8)
    file = KNOWN[name].file("comic", comic, scale)
    assert file == KNOWN[name].file("comic", comic, scale)
    lr = opened(file)
    assert lr.shape == clean.shape
    assert (np.array_equal(lr, clean)) == (name == "clean")


def test_lower_qualities_and_more_noise_are_worse(comic):
    clean = opened(KNOWN["clean"].file("comic", comic, 4)).astype(float)

    def distances(names):
        return [psnr(clean, opened(KNOWN[name].file("comic", comic, 4)).astype(float)) for name in names]

    for names in (
        ("q95", "q85", "q60", "q30", "q15"),
        ("noise3", "noise5", "noise10", "noise20"),
        ("q60", "q60-twice"),
    ):
        found = distances(names)
        assert found == sorted(found, reverse=True)


def test_noise_depends_on_the_picture_and_is_grey_if_it_says_so():
    flat = np.full((SIDE, SIDE, 3), 128, np.uint8)
    one, other = (opened(KNOWN["grey10"].file(name, flat, 4)) for name in "ab")
    assert not np.array_equal(one, other)
    assert np.ptp(one, axis=2).max() == 0
    assert one.std() == pytest.approx(10, rel=0.05)


def test_jpeg_files_say_their_quality_and_subsampling(comic):
    with Image.open(io.BytesIO(KNOWN["q60-444"].file("comic", comic, 4))) as image:
        assert (image.format, image.layer[0][1:3]) == ("JPEG", (1, 1))
    with Image.open(io.BytesIO(KNOWN["q60"].file("comic", comic, 4))) as image:
        assert image.layer[0][1:3] == (2, 2)


def test_degradations_are_chosen_by_name():
    assert [item.name for item in degradations(["old", "q30"])] == ["old", "q30"]
    assert degradations(["all"]) == DEGRADATIONS
    with pytest.raises(UsageError, match="'q31'"):
        degradations(["q31"])
