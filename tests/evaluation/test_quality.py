"""The shipped models against their own figures in the registry."""

from __future__ import annotations

import pytest

import scales_cli
from scales_cli.pipeline.upscalers import load
from scales_cli.weights.registry import load_registry


@pytest.mark.slow
@pytest.mark.parametrize("entry", load_registry().entries, ids=lambda entry: entry.name)
def test_shipped_models_reach_their_psnr(entry, benchmarks):
    if entry.spec.backbone != "srresnet":
        pytest.importorskip("torch")
    assert entry.psnr
    sets = [scales_cli.find_benchmark(benchmarks / name, entry.scale) for name in entry.psnr]
    report = scales_cli.evaluate(load(entry.name, scale=entry.scale), sets)
    for item in report.benchmarks:
        assert item.mean.psnr >= entry.psnr[item.name] - 0.05, item.name
