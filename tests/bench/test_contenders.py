"""What is timed is the same network: every runtime gives what torch, or the native engine, gives."""

import dataclasses
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.contenders import prepare, registry
from scales_cli.bench.contenders.base import Runner, Task, peak_resident_set
from scales_cli.bench.contenders.native import Bicubic, BinaryLayerRunner, Lanczos, NativeNetwork, Upscale
from scales_cli.bench.contenders.opencv import OpenCvNetwork
from scales_cli.bench.contenders.prepare import Preparation
from scales_cli.bench.contenders.registry import VIDEO_CONTENDERS, VIDEO_OURS
from scales_cli.bench.contenders.torch_runtime import TorchNetwork
from scales_cli.bench.contenders.video import NetworkVideo
from scales_cli.errors import UsageError
from scales_cli.video.frame import Frame

pytest.importorskip("scales_cli.engine._native")


@pytest.fixture
def task(random_weights, tmp_path):
    weights = random_weights(scale=3, n_blocks=2)
    weights.save(tmp_path / "model.safetensors")
    return Task(weights.spec, tmp_path / "model.safetensors", tmp_path, width=21, height=18, threads=1)


@pytest.fixture
def exported(task):
    """The task after every preparation that works without a quantizer."""
    pytest.importorskip("onnx")
    steps = (prepare.export_twin, prepare.export_fsrcnn, prepare.export_espcn, prepare.export_plain)
    assert prepare.prepare(Preparation(task.spec, task.exports, None), steps) == {}
    return task


@pytest.mark.parametrize("name", ["twin", "fsrcnn", "espcn", "ecbsr-m4c32"])
def test_openvino_computes_what_torch_does(exported, name):
    pytest.importorskip("openvino")
    from scales_cli.bench.contenders.openvino_runtime import OpenVinoNetwork

    expected = TorchNetwork(exported, name).run()
    np.testing.assert_allclose(OpenVinoNetwork(exported, name).run(), expected, atol=2e-5)


@pytest.mark.parametrize("name", ["twin", "fsrcnn"])
def test_openvino_fuses_activations(exported, name):
    """As a rival it gets the form that it runs fastest."""
    openvino = pytest.importorskip("openvino")
    from scales_cli.bench.contenders.openvino_runtime import read_model

    model = read_model(exported.exports / f"{name}.onnx")
    model.reshape([1, 1, exported.height, exported.width])
    compiled = openvino.Core().compile_model(model, "CPU").get_runtime_model()
    layers = {node.get_rt_info()["layerType"].value for node in compiled.get_ordered_ops()}
    assert "Convolution" in layers
    assert "PRelu" not in layers


@pytest.mark.parametrize("name", ["twin", "fsrcnn", "espcn", "ecbsr-m4c32"])
def test_onnxruntime_computes_what_torch_does(exported, name):
    pytest.importorskip("onnxruntime")
    from scales_cli.bench.contenders.onnx_runtime import OnnxNetwork

    expected = TorchNetwork(exported, name).run()
    np.testing.assert_allclose(OnnxNetwork(exported, name).run(), expected, atol=2e-5)


def test_bfloat16_is_near_float32(task):
    pytest.importorskip("torch")
    reduced, full = TorchNetwork(task, "twin", "bfloat16").run(), TorchNetwork(task, "twin").run()
    assert 0 < np.abs(reduced - full).max() < 0.05


def test_openvino_binary_computes_what_the_native_engine_does(task):
    """Its BinaryConvolution reads bits in its own order and pads with true zeros."""
    pytest.importorskip("openvino")
    from scales_cli.bench.contenders.openvino_runtime import OpenVinoBinary

    ours, theirs = NativeNetwork(task).run(), OpenVinoBinary(task).run()
    assert np.median(np.abs(ours - theirs)) < 1e-5  # a bit at its threshold may turn


@pytest.mark.parametrize("name", ["fsrcnn", "espcn"])
def test_opencv_computes_what_torch_does(exported, name):
    expected = TorchNetwork(exported, name).run()
    np.testing.assert_allclose(OpenCvNetwork(exported, name).run(), expected, atol=2e-5)


def test_frames_of_video_are_enlarged_whole(exported):
    for contenders in ((VIDEO_OURS,), *VIDEO_CONTENDERS.values()):
        for contender in contenders:
            if contender.missing():
                continue
            runner = contender.build(exported)
            frames = [runner.run() for _ in range(2)]
            assert [plane.shape for plane in frames[0]] == [(54, 63), (27, 32), (27, 32)], contender.name
            assert not np.array_equal(frames[0][0], frames[1][0])


def test_frames_that_are_mostly_still(exported):
    runner = VIDEO_CONTENDERS["still"][0].build(exported)
    first, second = (next(runner._clip).planes[0] for _ in range(2))
    assert (first[:4] != second[:4]).mean() > 0.9
    assert np.array_equal(first[4:], second[4:])


def test_networks_of_video_see_the_frame(exported):
    """Luma in [0, 1] goes in, codes come out."""
    runner = NetworkVideo(exported, lambda task: OpenCvNetwork(task, "espcn"))
    network, frame = TorchNetwork(exported, "espcn"), Frame(next(runner._clip).planes)
    network._planes = torch_of(frame.planes[0])
    expected = np.clip(np.round(255 * network.run()[0]), 0, 255)
    assert np.abs(runner.enlarge(frame)[0] - expected).max() <= 1


def torch_of(luma):
    import torch

    return torch.from_numpy(luma[None, None].astype(np.float32) / 255)


def test_signals_are_handled_after_openvino_was_used(task):
    """Two that are released in the order of their making."""
    pytest.importorskip("openvino")
    code = f"""
import signal
from pathlib import Path
from scales_cli.bench.contenders.base import Task
from scales_cli.bench.contenders.openvino_runtime import OpenVinoBinary
from scales_cli.weights.packed import load_packed
model = Path({str(task.model)!r})
task = Task(load_packed(model).spec, model, model.parent, width=21, height=18, threads=1)
first, second = OpenVinoBinary(task), OpenVinoBinary(task)
del first
del second
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
signal.raise_signal(signal.SIGTERM)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "handled\n")


def test_quantized_twin_is_near_the_twin(exported):
    pytest.importorskip("nncf")
    from scales_cli.bench.contenders.openvino_runtime import OpenVinoNetwork

    assert prepare.prepare(Preparation(exported.spec, exported.exports, None), (prepare.quantize_twin,)) == {}
    quantized, full = OpenVinoNetwork(exported, "twin", None, quantized=True), OpenVinoNetwork(exported, "twin")
    assert quantized.model_bytes < full.model_bytes / 2
    expected = full.run()
    assert 0 < np.std(quantized.run() - expected) < 0.2 * np.std(expected)  # with AVX2 it is larger than with VNNI


def test_quantized_plain_networks_keep_their_last_convolution(exported):
    pytest.importorskip("nncf")
    from scales_cli.bench.contenders.openvino_runtime import OpenVinoNetwork, read_model

    assert prepare.prepare(Preparation(exported.spec, exported.exports, None), (prepare.quantize_plain,)) == {}
    model = read_model(exported.exports / "ecbsr-m6c40-int8.xml")
    convs = [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]
    inputs = [node.input_value(0).get_node().get_type_name() for node in convs]
    assert inputs == ["FakeQuantize"] * 7 + [inputs[-1]]
    assert inputs[-1] != "FakeQuantize"
    full = TorchNetwork(exported, "ecbsr-m6c40").run()
    quantized = OpenVinoNetwork(exported, "ecbsr-m6c40", None, quantized=True).run()
    assert 0 < np.abs(quantized - full).max() < 0.2


def test_an_ensemble_is_timed_as_one(task):
    turned = NativeNetwork(dataclasses.replace(task, ensemble=8)).run()
    one = NativeNetwork(task).run()
    assert turned.shape == one.shape
    assert not np.array_equal(turned, one)


def test_native_contenders_enlarge(task):
    assert Bicubic(task).run().shape == (54, 63, 1)
    assert Lanczos(task).run().shape == (54, 63)
    assert NativeNetwork(task).run().shape == (1, 54, 63)


def test_another_model_runs_on_the_picture_of_the_task(task, random_weights, tmp_path):
    weights = random_weights(scale=2, n_blocks=1)
    weights.save(tmp_path / "other.safetensors")
    other = registry.of_model(registry.OURS, "other", weights.spec, tmp_path / "other.safetensors")
    runner = pickle.loads(pickle.dumps(other.build))(task)
    assert (runner.run().shape, runner.model_bytes) == ((1, 36, 42), (tmp_path / "other.safetensors").stat().st_size)


def test_upscale_is_prepared_without_holding_its_picture(task):
    """Or the peak of the process that waits would be taken for the program's."""
    tracemalloc.start()
    try:
        Upscale(dataclasses.replace(task, width=2000, height=1000))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_upscale_writes_the_whole_picture(task):
    upscale = Upscale(task)
    assert upscale.run().read_bytes().startswith(b"P6")
    assert upscale.run().stat().st_size > 54 * 63 * 3
    assert upscale.sample().cpu_seconds > 0


def test_upscale_has_no_limit_of_memory_from_outside(task, monkeypatch):
    """`SCALES_MAX_MEMORY` is not the bench's."""
    monkeypatch.setenv("SCALES_MAX_MEMORY", "1M")
    assert Upscale(task).run().read_bytes().startswith(b"P6")


@pytest.mark.parametrize(("channels", "rows"), [(64, 16), (256, 1)])
def test_binary_layer_is_as_wide_as_the_model(task, channels, rows, monkeypatch):
    monkeypatch.setattr(BinaryLayerRunner, "PIXELS", 16 * 21)
    runner = BinaryLayerRunner(dataclasses.replace(task, spec=NetworkSpec(n_feats=channels)))
    for engine in (runner._shallow, runner._deep):
        assert engine.spec.n_feats == channels
    assert runner._planes.shape[1] == rows


def test_binary_layer_measures_the_peak(task, monkeypatch):
    from scales_cli.engine import _native

    monkeypatch.setattr(_native, "xor_popcount_rate", lambda seconds: 1e12)
    assert BinaryLayerRunner(task).sample().peak_rate == 1e12


def test_peak_resident_set_grows_with_what_is_held():
    before = peak_resident_set()
    held = np.ones(2**25, np.uint8)
    assert peak_resident_set() >= before
    assert peak_resident_set() >= held.nbytes


def test_prepare_goes_on_after_a_failure(tmp_path, task):
    def fail(job):
        raise RuntimeError("no\nway")

    done = []
    assert prepare.prepare(Preparation(task.spec, tmp_path, None), (fail, done.append)) == {
        fail: "RuntimeError: no\nway"
    }
    assert len(done) == 1


def test_crops_are_luma_in_range(benchmarks):
    for crops in (prepare.synthetic_crops(), prepare.benchmark_crops(benchmarks / "Set5", 4)):
        assert crops.dtype == np.float32
        assert crops.shape[1:] == (1, 1, 64, 64)
        assert crops.min() >= 0
        assert crops.max() <= 1
        assert crops.std() > 0.05


@pytest.mark.parametrize("lacking", ["openvino", "onnx", "torch", "nothing"])
def test_choose_names_what_is_missing(monkeypatch, lacking):
    monkeypatch.setattr(registry, "find_spec", lambda module: None if module == lacking else object())
    chosen, missing = registry.choose(["openvino-fp32", "fsrcnn", "bicubic", "bicubic"])
    names = [contender.name for contender in chosen]
    assert names.count("bicubic") == 1
    assert {
        "nothing": ["openvino-fp32", "fsrcnn (openvino)", "fsrcnn (onnxruntime)", "bicubic"],
        "openvino": ["fsrcnn (onnxruntime)", "bicubic"],
        "onnx": ["fsrcnn (torch)", "bicubic"],
        "torch": ["bicubic"],
    }[lacking] == names
    assert ("openvino-fp32" in missing) == (lacking != "nothing")
    for modules in missing.values():
        assert modules == [lacking]
        assert registry.not_installed(modules) == f'{lacking} not installed: pip install "scales-cli[bench]"'


def test_choose_refuses_unknown_names():
    with pytest.raises(UsageError, match="tensorflow"):
        registry.choose(["tensorflow"])


def test_runners_say_how_they_are_set_up(task):
    single = NativeNetwork(task)
    double = NativeNetwork(dataclasses.replace(task, threads=2))
    np.testing.assert_array_equal(single.run(), double.run())
    assert single.model_bytes == task.model.stat().st_size
    assert Runner.model_bytes is None
