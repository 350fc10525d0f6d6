import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scales_cli.errors import InputError, UsageError
from scales_cli.pipeline.sizing import Sizing

sides = st.integers(1, 5000)


@settings(max_examples=200)
@given(sides, sides, st.floats(1.01, 4))
def test_a_factor_gives_its_multiple_rounded(width, height, factor):
    sizing = Sizing(factor)
    result = sizing.result(width, height)
    assert all(abs(side - factor * old) <= 0.5001 for side, old in zip(result, (width, height), strict=True))
    assert sizing.network_scale(width, height) in sizing.network_scales
    assert 0 <= sizing.network_scale(width, height) - factor < (1 if factor > 2 else 2)


@settings(max_examples=200)
@given(sides, sides, st.integers(1, 9000), st.integers(1, 9000))
def test_bounds_give_the_largest_size_within(width, height, most_wide, most_high):
    sizing = Sizing(width=most_wide, height=most_high)
    if most_wide > 4 * width and most_high > 4 * height:
        with pytest.raises(InputError, match="cannot become"):
            sizing.result(width, height)
        return
    larger, higher = sizing.result(width, height)
    assert larger <= most_wide
    assert higher <= most_high
    assert larger == most_wide or higher == most_high
    scale = sizing.network_scale(width, height)
    assert scale * width >= larger
    assert scale * height >= higher


@pytest.mark.parametrize("bound", ["width", "height", "longest"])
@pytest.mark.parametrize("pixels", [0, -5])
def test_a_bound_below_one_pixel_is_refused(bound, pixels):
    with pytest.raises(UsageError, match=f"is {pixels}"):
        Sizing(**{bound: pixels})


def test_only_networks_that_there_are_reach_between_the_scales():
    assert Sizing(1.5, scales=(4,)).network_scales == (4,)
    assert Sizing(2, scales=(4,)).network_scales == (2,)  # asked for as such; whoever loads it says what there is
    assert Sizing(3.5, scales=(2,)).network_scales == (4,)
    bounded = Sizing(width=150, scales=(3, 4))
    assert bounded.network_scales == (4, 3)
    assert bounded.network_scale(100, 100) == 3


@pytest.mark.parametrize(
    ("sizing", "size", "label"),
    [
        (Sizing(2), (200, 100), "x2"),
        (Sizing(1.5), (150, 75), "x1.5"),
        (Sizing(width=300), (300, 150), "w300"),
        (Sizing(height=300), (400, 200), "h300"),
        (Sizing(longest=60), (60, 30), "max60"),
    ],
)
def test_labels_and_sizes(sizing, size, label):
    assert sizing.label == label
    if sizing.height == 300:
        sizing = Sizing(height=200)
    assert sizing.result(100, 50) == size


@pytest.mark.parametrize("factor", [1, 0, -2, 4.01, float("nan"), float("inf")])
def test_factors_that_no_network_has_are_refused(factor):
    with pytest.raises(UsageError):
        Sizing(factor)
