"""Self-ensemble: the mean over flips and turns, the same however the picture is cut, shared out or turned."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scales_cli.engine.base import ArrayPlanes, Region, Residual
from scales_cli.engine.ensemble import SelfEnsemble, ensemble_of
from scales_cli.engine.native_engine import NativeEngine
from scales_cli.engine.symmetry import SYMMETRIES, Symmetry, TurnedPlanes
from scales_cli.errors import UsageError, WeightsError

native = pytest.importorskip("scales_cli.engine._native")

SIDE = 70  # more than that of a window


def joined(pieces) -> Residual:
    planes, chroma = zip(*pieces, strict=True)
    whole = None if chroma[0] is None else np.concatenate(chroma, axis=1)
    return Residual(np.concatenate(planes, axis=1), whole)


def content(residual: Residual) -> bytes:
    return b"".join(part.tobytes() for part in residual if part is not None)


def turned_back(symmetry: Symmetry, planes: np.ndarray) -> np.ndarray:
    """A view of turned planes, as they were before."""
    reverse = planes[..., :: -1 if symmetry.upside_down else 1, :: -1 if symmetry.mirrored else 1]
    return reverse.swapaxes(-1, -2) if symmetry.transposed else reverse


@pytest.fixture(scope="module")
def engine(draw_weights):
    """Native engines; those of no `whole_image_pixels` stream pictures of any size."""

    @functools.cache
    def make(scale: int = 2, planes: str = "luma", threads: int = 1, whole: int = 0, isa: str | None = None):
        strength = planes == "ycc"
        weights = draw_weights(np.random.default_rng(3), scale=scale, planes=planes, strength=strength, n_blocks=1)
        return NativeEngine(weights, threads, whole_image_pixels=whole, isa=isa)

    return make


def draw_planes(engine, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((engine.spec.inputs, height, width), dtype=np.float32)


def test_the_first_two_four_and_eight_are_groups():
    corners = np.arange(6).reshape(2, 3)
    for count in (1, 2, 4, 8):
        seen = [symmetry.turn(corners).tolist() for symmetry in SYMMETRIES[:count]]
        assert len({str(item) for item in seen}) == count
        for first in SYMMETRIES[:count]:
            for second in SYMMETRIES[:count]:
                assert second.turn(first.turn(corners)).tolist() in seen


@pytest.mark.parametrize("symmetry", SYMMETRIES, ids=str)
def test_turning_back_and_places(symmetry: Symmetry):
    planes = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
    turned = symmetry.turn(planes)
    assert np.array_equal(turned_back(symmetry, turned), planes)
    region = Region(1, 4, 2, 7)
    top, bottom, left, right = place = symmetry.place(region, 5, 7)
    inner = turned_back(symmetry, turned[:, top:bottom, left:right])
    assert np.array_equal(inner, planes[:, 1:4, 2:7])
    assert symmetry.place_back(place, *turned.shape[1:]) == region
    assert np.array_equal(TurnedPlanes(ArrayPlanes(planes), symmetry).read(*place), turned[:, top:bottom, left:right])


@pytest.mark.parametrize("planes", ["luma", "rgb", "ycc"])
@pytest.mark.parametrize("whole", [0, 2**18])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_ensemble_is_the_mean_of_turned_pictures(planes, whole, count, engine):
    one = engine(3, planes, whole=whole)
    picture = draw_planes(one, 11, 14)
    expected: list[list[np.ndarray]] = [[], []]
    for symmetry in SYMMETRIES[:count]:
        turned = ArrayPlanes(np.ascontiguousarray(symmetry.turn(picture)))
        for kept, part in zip(expected, joined(one.residual_rows(turned)), strict=True):
            kept += [] if part is None else [turned_back(symmetry, part)]
    result = joined(SelfEnsemble(one, count).residual_rows(ArrayPlanes(picture)))
    for kept, part in zip(expected, result, strict=True):
        if part is not None:
            np.testing.assert_allclose(part, np.mean(kept, axis=0, dtype=np.float64), atol=2**-24, rtol=2**-24)
    assert (result.chroma is None) == (planes != "ycc")


@given(
    size=st.tuples(st.integers(1, SIDE), st.integers(1, 9)) | st.tuples(st.integers(1, 9), st.integers(1, SIDE)),
    planes=st.sampled_from(["luma", "rgb", "ycc"]),
    count=st.sampled_from([2, 4, 8]),
    threads=st.integers(1, 3),
    tile=st.none() | st.integers(1, SIDE),
    budget=st.integers(0, 2**23),
    symmetry=st.sampled_from(SYMMETRIES),
)
@settings(max_examples=12)
def test_one_result_for_tiles_limits_threads_and_turns(engine, size, planes, count, threads, tile, budget, symmetry):
    """Windows for the channel gates lie elsewhere in a turned picture: each has its own, whatever comes in."""
    picture = draw_planes(engine(2, planes), *size)
    expected = joined(SelfEnsemble(engine(2, planes), count).residual_rows(ArrayPlanes(picture)))
    ensemble = SelfEnsemble(engine(2, planes, threads), count)
    tiling, need = ensemble.plan(*size, budget=budget, pixel_bytes=3, tile=tile)
    assert need > 0
    assert content(joined(ensemble.residual_rows(ArrayPlanes(picture), tiling=tiling))) == content(expected)
    if symmetry in SYMMETRIES[:count]:
        turned = ArrayPlanes(np.ascontiguousarray(symmetry.turn(picture)))
        result = joined(ensemble.residual_rows(turned))
        back = Residual(*(None if part is None else turned_back(symmetry, part) for part in result))
        assert content(back) == content(expected)


def test_a_tile_larger_than_the_picture_takes_no_more_than_the_picture(engine):
    size, ensemble = (SIDE, 9), SelfEnsemble(engine(2), 8)
    needs = [ensemble.plan(*size, budget=0, pixel_bytes=3, tile=tile)[1] for tile in (SIDE, 2**40)]
    assert needs[0] == needs[1]


def test_every_isa_gives_the_same_ensemble(isa, engine):
    picture = ArrayPlanes(draw_planes(engine(), 5, 9))
    expected = content(joined(SelfEnsemble(engine(), 8).residual_rows(picture)))
    assert content(joined(SelfEnsemble(engine(isa=isa), 8).residual_rows(picture))) == expected


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (33, 40), (70, 129)])
def test_residuals_are_added_in_units_of_two_to_the_minus_24(shape, rng):
    added = rng.normal(0, 3, (2, *shape)).astype(np.float32)
    values = np.clip(added.astype(np.float64), -8, 8) * 2**24
    expected = np.copysign(np.floor(np.abs(values) + 0.5), values).astype(np.int32)
    for symmetry in SYMMETRIES:
        sums = np.ones_like(turned_back(symmetry, expected))
        assert native.add_residual(added, symmetry.turn(sums))
        assert np.array_equal(symmetry.turn(sums) - 1, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_network_that_gives_no_numbers_is_an_error(value, random_weights):
    weights = random_weights(scale=2)
    weights.tensors["tail.bias"][0] = value
    for whole in (0, 2**18):
        ensemble = SelfEnsemble(NativeEngine(weights, 2, whole_image_pixels=whole), 2)
        with pytest.raises(WeightsError, match="not numbers"):
            list(ensemble.residual_rows(ArrayPlanes(np.zeros((1, 40, 9), np.float32))))


@pytest.mark.parametrize("whole", [0, 2**18])
def test_progress_rises_to_one(whole, engine):
    fractions: list[float] = []
    picture = ArrayPlanes(draw_planes(engine(), 20, 17))
    list(SelfEnsemble(engine(threads=2, whole=whole), 4).residual_rows(picture, progress=fractions.append))
    assert fractions == sorted(fractions)
    assert len(fractions) >= 4
    assert fractions[-1] == 1.0


def test_an_interrupt_stops_all_threads(engine):
    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    picture = ArrayPlanes(draw_planes(engine(), 20, 20))
    with pytest.raises(KeyboardInterrupt):
        list(SelfEnsemble(engine(threads=2), 8).residual_rows(picture, progress=interrupt))


def test_other_counts_are_refused(engine):
    assert ensemble_of(engine(), 1) is engine()
    for count in (0, 3, 16, 2.0):
        with pytest.raises(UsageError, match=f"ensemble is {count}") as raised:
            ensemble_of(engine(), count)
        assert raised.value.hint == "give 1, 2, 4 or 8"
