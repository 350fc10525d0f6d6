"""The native engine against torch on the trained networks."""

from __future__ import annotations

import numpy as np
import pytest

from scales_cli.engine.load import load_engine
from scales_cli.engine.native_engine import NativeEngine
from scales_cli.evaluation.datasets import find_benchmark
from scales_cli.imaging.metrics import crop_border, psnr, rgb_to_y
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.weights.family import resolve


@pytest.mark.parametrize("names", [["butterfly"], pytest.param(None, marks=pytest.mark.slow)], ids=["sample", "Set5"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_native_equals_torch_on_trained_weights(scale, names, benchmarks):
    """At least 60 dB between the two, and the same PSNR against HR within 0.01 dB, on each picture.

    A float that sits on a threshold may fall to either side, so that a few pixels differ.
    """
    weights = resolve("tiny").open(scale).weights
    native, torch = Upscaler(NativeEngine(weights, threads=1)), Upscaler(load_engine(weights, "torch"))
    pairs = [pair for pair in find_benchmark(benchmarks / "Set5", scale) if not names or pair.name in names]
    assert len(pairs) == len(names or range(5))
    for pair in pairs:
        hr, lr = pair.load(scale)
        first, second = native.upscale(lr), torch.upscale(lr)
        assert psnr(first.astype(np.float64), second.astype(np.float64)) >= 60
        truth, ours, theirs = (crop_border(rgb_to_y(picture), scale) for picture in (hr, first, second))
        assert psnr(truth, ours) == pytest.approx(psnr(truth, theirs), abs=0.01)
