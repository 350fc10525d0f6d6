import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scales_cli.imaging.files import read_image
from scales_cli.imaging.wear.vp8 import quality_of


def test_quality_of_webp_is_nearly_what_it_was_saved_with(saved, photo):
    picture = Image.fromarray(photo).resize((200, 160), Image.Resampling.BICUBIC)
    found = []
    for quality in (10, 30, 50, 75, 90, 100):
        data = saved(picture, "WEBP", quality=quality)
        found.append(read_image(data).coded_quality)
        assert found[-1] == pytest.approx(quality, abs=12)
    assert found == sorted(found)


def test_quality_of_the_first_frame_with_alpha_and_animated(saved, photo):
    image = Image.fromarray(np.dstack([photo, photo[..., 0]]))
    data = saved(image, "WEBP", quality=40, save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    assert read_image(data).coded_quality == pytest.approx(40, abs=15)


def test_lossless_webp_says_none(saved, photo):
    assert read_image(saved(photo, "WEBP", lossless=True)).coded_quality is None


@given(st.binary(max_size=128))
def test_damaged_frames_say_none_or_a_quality(frame):
    assert (quality_of(frame) or 0) <= 100
    assert quality_of(frame[:11]) is None
