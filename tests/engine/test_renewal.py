"""Regions that are computed again are what they are in the whole picture."""

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")

from scales_cli.engine.base import ArrayPlanes, Region, Residual
from scales_cli.engine.ensemble import ensemble_of
from scales_cli.engine.load import load_engine
from scales_cli.engine.renewal import Renewal, new_residual
from scales_cli.system.threads import ThreadPool

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
    whole = new_residual(engine.spec, 40, 50)
    Renewal(engine, source, gates, REGIONS[:1]).put(whole)
    for region in REGIONS[1:]:
        top, bottom, left, right = region
        part = Residual(np.full_like(whole.planes, 7), np.full_like(whole.chroma, 7))
        Renewal(engine, source, gates, [region]).put(part)
        for found, expected, scale in zip(part, whole, (3, 1), strict=True):
            inside = np.s_[:, scale * top : scale * bottom, scale * left : scale * right]
            assert np.array_equal(found[inside], expected[inside])
            assert (found == 7).sum() == found.size - found[inside].size


def test_a_picture_of_gates_that_fit_is_the_picture(random_weights, rng):
    """So small a picture is one window: its gates are those of `residual`."""
    engine = ensemble_of(load_engine(random_weights(scale=2, n_blocks=1), threads=1), 8)
    planes = rng.random((1, 24, 30), dtype=np.float32)
    source, found = ArrayPlanes(planes), new_residual(engine.spec, 24, 30)
    Renewal(engine, source, engine.fix_gates(source), [Region(0, 24, 0, 30)]).put(found)
    assert np.array_equal(found.planes, engine.residual(planes))


def test_what_is_stopped_ends(random_weights, rng):
    """A picture of many pieces, of which those after the stop are not computed."""
    engine = load_engine(random_weights(scale=2, n_blocks=1), threads=2)
    source, pieces = ArrayPlanes(rng.random((1, 4000, 16), dtype=np.float32)), []
    gates = engine.fix_gates(source)
    whole = Region(0, 4000, 0, 16)

    class Counting:
        spec, pool = engine.spec, ThreadPool(1)

        def region(self, *arguments):
            for piece in engine.region(*arguments):
                pieces.append(piece.planes.shape[1] // 2)
                yield piece

    renewal = Renewal(Counting(), source, gates, [whole])
    renewal.stop()
    renewal.put(new_residual(engine.spec, 4000, 16))
    assert len(pieces) == 1
    assert pieces[0] < 4000
