import numpy as np
import pytest

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import Residual
from scales_cli.pipeline.upscaler import Upscaler

pytest.importorskip("scales_cli.engine._native")


class FakeEngine:
    """Gives a chosen residual for the planes it is shown, and remembers them."""

    def __init__(self, scale=2, residual=None, planes="luma"):
        self.spec = NetworkSpec(scale=scale, planes=planes)
        self.function = residual or (lambda planes: np.zeros_like(planes))
        self.seen = []
        self.piece = 5 * scale  # output rows

    def residual_rows(self, source, *, tiling=None, progress=None):
        planes = source.read(0, source.height, 0, source.width)
        self.seen.append(planes)
        small = self.function(planes).astype(np.float32)
        large = small.repeat(self.spec.scale, axis=1).repeat(self.spec.scale, axis=2)
        for top in range(0, large.shape[1], self.piece):
            yield Residual(large[:, top : top + self.piece])
        if progress is not None:
            progress(1.0)


@pytest.fixture
def fake_engine():
    return FakeEngine


@pytest.fixture
def upscaler():
    def make(scale=2, residual=None, planes="luma"):
        return Upscaler(FakeEngine(scale, residual, planes), name="fake", threads=1)

    return make
