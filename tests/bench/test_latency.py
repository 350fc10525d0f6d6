from functools import partial

import pytest

from scales_cli.bench.contenders.base import Sample, Task
from scales_cli.bench.contenders.native import Bicubic, NativeNetwork
from scales_cli.bench.contenders.onnx_runtime import OnnxNetwork
from scales_cli.bench.contenders.registry import OURS, Contender
from scales_cli.bench.latency import Measurement, Spread, measure

pytest.importorskip("scales_cli.engine._native")


def measurement(*seconds):
    return Measurement(OURS, tuple(Sample(value, value) for value in seconds), None, None)


def test_times_compares_round_by_round():
    """A round that is slow for both changes no ratio."""
    assert measurement(2, 20, 3).times(measurement(1, 10, 1)) == Spread(2, 2, 3)
    assert measurement(3, 1, 2).seconds == Spread(2, 1, 3)


@pytest.fixture
def task(random_weights, tmp_path):
    weights = random_weights(n_blocks=1)
    weights.save(tmp_path / "model.safetensors")
    return Task(weights.spec, tmp_path / "model.safetensors", tmp_path, width=16, height=12, threads=1)


def test_measure_goes_on_without_what_fails(task):
    good, bad = Contender("bicubic", Bicubic), Contender("lost", partial(OnnxNetwork, name="twin"))
    fractions = []
    measurements, failures = measure([bad, OURS, good], task, 3, progress=fractions.append)
    assert [item.contender for item in measurements] == [OURS, good]
    assert [len(item.samples) for item in measurements] == [3, 3]
    assert all(item.peak_memory > 10e6 for item in measurements)
    assert [item.model_bytes for item in measurements] == [task.model.stat().st_size, None]
    assert list(failures) == ["lost"]
    assert fractions == [1 / 3, 2 / 3, 1]


def test_measure_ends_at_the_deadline_after_a_round(task):
    measurements, _ = measure([Contender("scales", NativeNetwork)], task, 50, deadline=0.0)
    assert len(measurements[0].samples) == 1
