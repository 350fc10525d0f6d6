import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scales_cli.imaging.files import read_image
from scales_cli.imaging.wear.tables import STANDARD, quality_of, standard_tables

TABLES = st.lists(st.integers(0, 65535), min_size=64, max_size=64)
OTHER = [12 + 9 * (row + column) + row * column for row in range(8) for column in range(8)]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("quality", [1, 15, 49, 50, 51, 75, 95, 100])
def test_a_picture_has_the_quality_of_a_file(saved, mode, quality):
    image = Image.new(mode, (9, 7))
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        data = saved(image, "JPEG", quality=quality, **options)
        assert read_image(data).coded_quality == quality


def test_quality_of_a_camera_s_several_pictures(saved, photo):
    first, second = (Image.fromarray(pixels) for pixels in (photo, photo[:5, :5]))
    stream = io.BytesIO()
    first.save(stream, "MPO", save_all=True, append_images=[second], quality=62)
    assert read_image(stream.getvalue()).coded_quality == 62


@pytest.mark.parametrize("name", ["PNG", "AVIF", "TIFF", "GIF"])
def test_other_formats_say_no_quality(saved, photo, name):
    data = saved(photo, name)
    assert read_image(data).coded_quality is None


def test_the_first_component_s_table_counts(saved, photo):
    fine, coarse = [2] * 64, [200] * 64
    assert read_image(saved(photo, "JPEG", qtables=[fine, coarse])).coded_quality > 90
    assert read_image(saved(photo, "JPEG", qtables=[coarse, fine])).coded_quality < 20


def test_standard_tables_are_those_of_pillow(saved):
    for quality, table in zip(range(100, 0, -1), standard_tables(), strict=True):
        with Image.open(io.BytesIO(saved(np.zeros((8, 8), np.uint8), "JPEG", quality=quality))) as image:
            assert image.quantization[0] == table.tolist()
        assert quality_of(table.tolist()) == quality


def test_tables_of_other_makers_are_between_those_they_lie_between():
    assert 20 < quality_of(OTHER) < 60
    assert 45 < quality_of([number // 2 for number in OTHER]) < 80
    assert 50 < quality_of([number - 1 for number in STANDARD]) < 53


def test_forged_tables():
    assert quality_of([0] * 64) == 100
    assert quality_of([255] * 64) == 1
    assert quality_of([65535] * 64) == 0


@given(TABLES, st.integers(0, 63))
def test_quality_falls_with_every_number(table, place):
    coarser = [*table[:place], table[place] + 100, *table[place + 1 :]]
    assert 0 <= quality_of(coarser) <= quality_of(table) <= 100
