import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scales_cli.pipeline.crop import Crop


@settings(max_examples=60)
@given(st.data())
def test_cut_does_not_depend_on_how_many_rows_come_at_a_time(data):
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 6))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    crop = Crop(left, top, data.draw(st.integers(1, width - left)), data.draw(st.integers(1, height - top)))
    pixels = np.arange(height * width * 3, dtype=np.uint16).reshape(height, width, 3)
    ends = [*sorted(data.draw(st.sets(st.integers(1, height)))), height]
    rows = iter([pixels[begin:end] for begin, end in zip([0, *ends], ends, strict=False)])
    cut = np.concatenate(list(crop.cut(rows)))
    assert np.array_equal(cut, pixels[top : top + crop.height, left : left + crop.width])
    assert not list(rows)
