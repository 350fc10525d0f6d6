"""The shipped models against the figures they must not fall below."""

from __future__ import annotations

import pytest

import scales_cli
from scales_cli.pipeline.upscaler import load

MINIMUM = {
    4: {"Set5": 30.90, "Set14": 27.80, "B100": 27.05},
    3: {"Set5": 33.00, "Set14": 29.35, "B100": 28.35},
    2: {"Set5": 36.75, "Set14": 32.45, "B100": 31.30},
}


@pytest.mark.slow
@pytest.mark.parametrize("scale", MINIMUM)
def test_tiny_models_reach_their_psnr(scale, benchmarks):
    sets = [scales_cli.find_benchmark(benchmarks / name, scale) for name in MINIMUM[scale]]
    report = scales_cli.evaluate(load(scale=scale), sets)
    for item in report.benchmarks:
        assert item.mean.psnr >= MINIMUM[scale][item.name], item.name
