import numpy as np
import pytest

from scales_cli.config import NetworkSpec
from scales_cli.pipeline.upscaler import Upscaler

pytest.importorskip("scales_cli.engine._native")


class FakeEngine:
    """Gives a chosen residual for the planes it is shown, and remembers them."""

    def __init__(self, scale=2, residual=None, colors=1):
        self.spec = NetworkSpec(scale=scale, colors=colors)
        self.function = residual or (lambda planes: np.zeros_like(planes))
        self.seen = []

    def residual(self, planes, *, progress=None):
        self.seen.append(planes)
        if progress is not None:
            progress(1.0)
        small = self.function(planes).astype(np.float32)
        return small.repeat(self.spec.scale, axis=1).repeat(self.spec.scale, axis=2)


@pytest.fixture
def fake_engine():
    return FakeEngine


@pytest.fixture
def upscaler():
    def make(scale=2, residual=None, colors=1):
        return Upscaler(FakeEngine(scale, residual, colors), name="fake", threads=1)

    return make
