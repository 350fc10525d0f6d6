"""The engine's reason to be: several times the speed of the same network in torch."""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

from scales_cli.engine.native_engine import NativeEngine

torch = pytest.importorskip("torch")
torch_engine = pytest.importorskip("scales_cli.engine.torch_engine")
binary_conv = pytest.importorskip("scales_cli.layers.binary_conv")


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


@pytest.mark.slow
@pytest.mark.parametrize("n_blocks", [4, 16])
def test_native_is_five_times_as_fast_as_torch(n_blocks, random_weights, rng):
    """480x270 at x4 on one thread, torch in float32 and bfloat16, in turn; the ratio is of medians."""
    weights = random_weights(scale=4, n_blocks=n_blocks)
    native = NativeEngine(weights, threads=1)
    if native.isa != "avx512":
        pytest.skip("stated for machines with AVX-512 VPOPCNTDQ")
    engines = {
        "native": native,
        "torch float32": torch_engine.TorchEngine(weights),
        "torch bfloat16": torch_engine.TorchEngine(weights),
    }
    for module in engines["torch bfloat16"].network.modules():
        if isinstance(module, binary_conv.BinaryConv2d):
            module.compute_dtype = torch.bfloat16
    planes = rng.random((1, 270, 480), dtype=np.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = {name: [] for name in engines}
        for _ in range(4):
            for name, engine in engines.items():
                times[name].append(seconds(lambda engine=engine: engine.residual(planes)))
    finally:
        torch.set_num_threads(threads)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    report = ", ".join(f"{name} {1e9 * value / planes.size:.0f} ns/px" for name, value in medians.items())
    assert min(medians["torch float32"], medians["torch bfloat16"]) >= 5 * medians["native"], report
    print(report)  # noqa: T201
