"""Whether rivals use Intel's matrix units, and what keeps them from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scales_cli.bench import machine
from scales_cli.bench.contenders.base import Runner, Task
from scales_cli.bench.contenders.registry import Contender
from scales_cli.bench.latency import measure


@pytest.fixture
def processor(monkeypatch):
    def choose(flags):
        monkeypatch.setattr(machine, "_processors", lambda: f"model name\t: Some CPU\nflags\t\t: fpu {flags} sse2\n")

    return choose


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [
        ("amx_bf16 amx_tile amx_int8", None, "used"),
        ("amx_tile", "AVX512_CORE_AMX", "used"),
        ("amx_tile", "DEFAULT", "used"),
        ("amx_tile", "AVX512_CORE_BF16", "kept off"),
        ("amx_tile", "AVX2", "kept off"),
        ("avx512_vnni", None, "absent"),
        ("avx512_vnni", "AVX2", "absent"),
    ],
)
def test_machine_says_what_rivals_do_with_amx(processor, monkeypatch, flags, limit, expected):
    processor(flags)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    about = machine.describe_machine()
    assert (about["cpu"], about["amx"]) == ("Some CPU", expected)
    without = machine.without_amx()
    assert machine.describe_machine(without)["amx"] == ("absent" if expected == "absent" else "kept off")
    narrower = limit in ("AVX512_CORE_BF16", "AVX2")
    assert (without == {}) == narrower  # which stands


class Probe(Runner):
    """Tells what limit its process has."""

    def __init__(self, task):
        self.model_bytes = len(os.environ.get("ONEDNN_MAX_CPU_ISA", ""))

    def run(self):
        return None


def test_limits_reach_the_processes_of_contenders(random_weights, tmp_path, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    task = Task(random_weights().spec, tmp_path / "none", tmp_path, width=4, height=4, threads=1)
    for limits in ({}, machine.WITHOUT_AMX):
        (measurement,), failures = measure([Contender("probe", Probe)], task, 1, environment=limits)
        assert failures == {}
        assert measurement.model_bytes == len("".join(limits.values()))


@pytest.mark.slow
def test_openvino_obeys_the_limit():
    """Of a processor without AMX, by a limit that it can do with, too."""
    pytest.importorskip("openvino")
    if "avx512bw" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("there is nothing to be kept from")
    program = """
import numpy as np, openvino
from openvino import opset13
planes = opset13.parameter([1, 32, 64, 64], np.float32)
conv = opset13.convolution(planes, np.ones((32, 32, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
compiled = openvino.Core().compile_model(openvino.Model([opset13.result(conv)], [planes]), "CPU")
facts = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
print(*(fact["primitiveType"].value for fact in facts if fact["layerType"].value == "Convolution"))
"""
    for limit, expected in ((machine.WITHOUT_AMX["ONEDNN_MAX_CPU_ISA"], "avx512"), ("AVX2", "avx2")):
        environment = os.environ | {"ONEDNN_MAX_CPU_ISA": limit}
        result = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert expected in result.stdout
        assert "amx" not in result.stdout
