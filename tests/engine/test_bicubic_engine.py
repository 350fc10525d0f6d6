import numpy as np
import pytest

from scales_cli.engine import bicubic_engine
from scales_cli.engine.base import ArrayPlanes
from scales_cli.engine.bicubic_engine import BicubicEngine
from scales_cli.engine.composition import upscale_bicubic
from scales_cli.pipeline.upscaler import Upscaler


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_it_adds_nothing_to_the_bicubic_picture(scale, dtype, rng, monkeypatch):
    monkeypatch.setattr(bicubic_engine, "_PIECE_PIXELS", 3 * 7 * scale**2)  # three rows at a time
    pixels = rng.integers(0, np.iinfo(dtype).max + 1, (10, 7, 3), dtype=dtype)
    fractions = []
    large = Upscaler(BicubicEngine(scale), threads=1).upscale(pixels, progress=fractions.append)
    assert np.array_equal(large, upscale_bicubic(pixels, scale))
    assert fractions == [0.3, 0.6, 0.9, 1.0]


def test_a_piece_takes_what_is_planned(rng):
    engine, planes = BicubicEngine(4), np.zeros((1, 5000, 40), np.float32)
    (first, *others) = (piece.planes for piece in engine.residual_rows(ArrayPlanes(planes)))
    assert len(others) == 3
    tiling, working = engine.plan(5000, 40, budget=0, pixel_bytes=3)
    assert tiling is None
    assert first.nbytes + 3 * first[0].size <= working <= 4 * first.nbytes
    assert not engine.residual(planes[:, :2]).any()
