import json
import math

import pytest

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench import bench
from scales_cli.bench.bench import binary_layer, open_model, score
from scales_cli.bench.contenders.base import Sample
from scales_cli.bench.contenders.registry import LAYER
from scales_cli.bench.latency import Measurement, Spread
from scales_cli.bench.random_weights import random_weights
from scales_cli.bench.report import Contest, ContestRow, Report
from scales_cli.errors import WeightsError

pytest.importorskip("scales_cli.engine._native")


def row(name, ns):
    return ContestRow(name, Spread(ns, ns, ns), Spread(1, 1, 1), 1.0, 1.0, None, None, None, None)


def test_marginals_leave_out_what_every_picture_costs():
    """600 ns and 100 ns a pixel: 100 pixels more take (200 * 600 - 100 * 700) ns = 500 ns each."""
    report = Report(4, {})
    for width, ns in ((20, 600.0), (15, 1.0), (10, 700.0)):
        report.contests.append(Contest("tiny", True, width, 10, 1, 1, (row("a", ns),), None))
    report.contests.append(Contest("tiny", True, 10, 10, 2, 1, (row("a", 5.0),), None))
    assert [(item.threads, item.ns_per_pixel) for item in report.marginals()] == [(1, 500.0)]
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["marginals"][0]["contender"] == "a"


@pytest.mark.parametrize(("channels", "macs"), [(64, 36864), (256, 589824)])
def test_binary_layer_relates_to_the_peak_of_its_round(channels, macs):
    samples = (Sample(1e-3, 1e-3, 2e12), Sample(2e-3, 2e-3, 1e12))
    layer = binary_layer(Measurement(LAYER, samples, None, None), 10_000, NetworkSpec(n_feats=channels))
    rates = [macs * 10_000 / 1e-3, macs * 10_000 / 2e-3]
    assert (layer.macs_per_second.high, layer.macs_per_second.low) == tuple(rates)
    assert layer.fraction == Spread.of([rates[0] / 2e12, rates[1] / 1e12])
    assert layer.ns_per_pixel == Spread(150, 100, 200)


def test_open_model_makes_random_weights_of_known_sizes(monkeypatch):
    def missing(name, store):
        raise WeightsError("none")

    monkeypatch.setattr(bench, "resolve", missing)
    model = open_model("edsr", 2)
    assert (model.name, model.trained, model.weights.spec.n_convs) == ("scales-edsr-x2", False, 64)
    with pytest.raises(WeightsError):
        open_model("huge", 2)
    monkeypatch.undo()
    assert open_model("tiny", 4).trained


def test_random_weights_are_seeded():
    first, second = (random_weights(NetworkSpec(), seed=3) for _ in range(2))
    assert first.digest() == second.digest() != random_weights(NetworkSpec(), seed=4).digest()


def test_score_leaves_out_what_is_not_trained(benchmarks):
    psnr = score(open_model("tiny", 4), benchmarks / "Set5")
    assert psnr["bicubic"] == pytest.approx(28.42, abs=0.02)
    assert psnr["bicubic"] < psnr["lanczos"] < psnr["scales"] == psnr["scales upscale"] < math.inf
    model = bench.BenchModel("x", random_weights(NetworkSpec()), trained=False)
    assert set(score(model, benchmarks / "Set5")) == {"bicubic", "lanczos"}
