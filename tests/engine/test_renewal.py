"""Regions that are computed again are what they are in the whole picture."""

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")

from scales_cli.engine.base import ArrayPlanes, Region, Residual
from scales_cli.engine.ensemble import ensemble_of
from scales_cli.engine.load import load_engine
from scales_cli.engine.renewal import renew
from scales_cli.errors import WeightsError

REGIONS = [
    Region(0, 40, 0, 50),
    Region(0, 1, 0, 1),
    Region(39, 40, 0, 50),
    Region(7, 33, 11, 12),
    Region(5, 30, 20, 50),
]


@pytest.mark.parametrize("ensemble", [1, 2, 8])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_region_is_as_in_the_whole(random_weights, rng, ensemble, threads):
    engine = ensemble_of(load_engine(random_weights(scale=3, n_blocks=1, planes="ycc"), threads=threads), ensemble)
    source = ArrayPlanes(rng.random((3, 40, 50), dtype=np.float32))
    gates = engine.fix_gates(source)
    whole = Residual(np.empty((engine.spec.colors, 120, 150), np.float32), np.empty((2, 40, 50), np.float32))
    renew(engine, source, gates, REGIONS[:1], whole)
    for region in REGIONS[1:]:
        top, bottom, left, right = region
        part = Residual(np.full_like(whole.planes, 7), np.full_like(whole.chroma, 7))
        renew(engine, source, gates, [region], part)
        for found, expected, scale in zip(part, whole, (3, 1), strict=True):
            inside = np.s_[:, scale * top : scale * bottom, scale * left : scale * right]
            assert np.array_equal(found[inside], expected[inside])
            assert (found == 7).sum() == found.size - found[inside].size


def test_a_picture_of_gates_that_fit_is_the_picture(random_weights, rng):
    """So small a picture is one window: its gates are those of `residual`."""
    engine = ensemble_of(load_engine(random_weights(scale=2, n_blocks=1), threads=1), 8)
    planes = rng.random((1, 40, 50), dtype=np.float32)
    found = Residual(np.empty((1, 80, 100), np.float32))
    renew(engine, ArrayPlanes(planes), engine.fix_gates(ArrayPlanes(planes)), REGIONS[:1], found)
    assert np.array_equal(found.planes, engine.residual(planes))


def test_values_that_are_no_numbers_are_refused(random_weights, rng):
    weights = random_weights(scale=2, n_blocks=1)
    weights.tensors["tail.bias"][:] = np.inf
    engine, source = load_engine(weights, threads=2), ArrayPlanes(rng.random((1, 40, 50), dtype=np.float32))
    residual = Residual(np.empty((1, 80, 100), np.float32))
    with pytest.raises(WeightsError):
        renew(engine, source, engine.fix_gates(source), REGIONS, residual)
