import dataclasses
import json
import os
import pickle

import numpy as np
import pytest
import safetensors.numpy

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import WeightsError
from scales_cli.weights.packed import load_packed


@pytest.fixture
def path(random_weights, tmp_path):
    """A good file, to be spoilt."""
    path = tmp_path / "model.safetensors"
    dataclasses.replace(random_weights(n_blocks=1), card={"steps": 7}).save(path)
    return path


def rewrite(path, tensors=None, **metadata):
    """The file with some tensors replaced (None removes one) and some metadata replaced."""
    with safetensors.safe_open(path, framework="numpy") as file:
        old = file.metadata()
    values = safetensors.numpy.load_file(path) | (tensors or {})
    values = {name: value for name, value in values.items() if value is not None}
    path.write_bytes(safetensors.numpy.save(values, old | metadata))


def test_what_is_no_number_in_a_card_is_none(random_weights, tmp_path):
    """Python's JSON has such, and no other."""
    card = {"psnr": {"flat": float("inf"), "photos": 31.5}, "worst": float("nan")}
    path = tmp_path / "model.safetensors"
    dataclasses.replace(random_weights(), card=card).save(path)
    assert load_packed(path).card == {"psnr": {"flat": None, "photos": 31.5}, "worst": None}


def test_save_and_load_keep_everything(random_weights, tmp_path):
    weights = dataclasses.replace(random_weights(scale=3, planes="rgb", n_feats=128, n_blocks=2), card={"steps": 7})
    for _ in range(2):  # the second time over the first
        weights.save(tmp_path / "model.safetensors")
    loaded = load_packed(tmp_path / "model.safetensors")
    assert (loaded.spec, loaded.card) == (weights.spec, weights.card)
    assert loaded.tensors.keys() == weights.tensors.keys()
    for name, tensor in weights.tensors.items():
        read = loaded.tensors[name]
        assert (read.dtype, read.shape) == (tensor.dtype, tensor.shape)
        assert np.array_equal(read, tensor)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "model.safetensors"]


def test_saved_files_have_the_usual_permissions(path, tmp_path):
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(
    "tensors",
    [
        {"body.1.bits": None},
        {"body.1.threshold": None},
        {"body.1.extra": np.zeros(1, np.float32)},
        {"body.1.channel": np.zeros(5, np.float32)},
        {"body.1.bias": np.zeros(64, np.float32)},
        {"body.2.scale": np.zeros(64, np.float32)},
        {"body.extra": np.zeros(1, np.float32)},
        {"extra": np.zeros(1, np.float32)},
        {"body.1.bits": np.zeros((64, 3, 3, 1), np.int64)},
        {"body.1.bits": np.zeros((64, 1), np.uint64)},
        {"body.1.bits": np.zeros((64, 5, 5, 1), np.uint64)},
        {"body.1.bits": np.zeros((), np.uint64)},
        {"body.1.threshold": np.zeros(63, np.float32)},
        {"body.1.scale": np.zeros(63, np.float32)},
        {"body.1.scale": np.full(64, -1, np.float32)},
        {"body.1.spatial_bias": np.zeros(1, np.float32)},
        {"body.1.slope": np.full(64, np.nan, np.float32)},
        {"tail.bias": np.full(16, np.inf, np.float32)},
        {"tail.bias": np.full(16, 1e30, np.float32)},
        {"tail.weight": np.ones((16, 64, 3, 3), np.float32)},
        {"tail.weight": np.ones((16, 64, 3, 3), np.uint8)},
        {"tail.weight": np.full((16, 64, 3, 3), 65, np.int8)},
        {"tail.weight": np.full((16, 64, 3, 3), -128, np.int8)},
        {"tail.weight": np.ones((64, 16, 3, 3), np.int8)},
        {"tail.gain": None},
        {"tail.gain": np.zeros(64, np.float32)},
        {"tail.gain": np.full(64, -1, np.float32)},
        {"tail.gain": np.full(64, np.nan, np.float32)},
        {"tail.gain": np.ones(16, np.float32)},
        {"tail.scale": None},
        {"tail.scale": np.full(16, -1, np.float32)},
        {"tail.scale": np.full(16, np.nan, np.float32)},
        {"body.1.channel.weight": np.zeros(4, np.float32)},
        {"body.1.channel.weight": np.zeros(65, np.float32)},
        {"body.1.channel.weight": np.zeros(0, np.float32)},
        {"body.1.channel.weight": np.zeros((1, 5), np.float32)},
        {"head.bias": np.zeros((64, 1), np.float32)},
    ],
)
def test_load_refuses_wrong_tensors(path, tensors):
    rewrite(path, tensors)
    with pytest.raises(WeightsError):
        load_packed(path)


SPEC = NetworkSpec(n_blocks=1).to_dict()


@pytest.mark.parametrize(
    "metadata",
    [
        {"format": "pt"},
        {"version": "1"},
        {"version": "2"},
        {"version": "4"},
        {"format": "scales-packed-layers"},
        {"spec": "{"},
        {"spec": "null"},
        {"spec": "[]"},
        {"spec": json.dumps(SPEC | {"scale": 5})},
        {"spec": json.dumps(SPEC | {"scale": 2})},
        {"spec": json.dumps(SPEC | {"n_blocks": 10**9})},
        {"spec": json.dumps(SPEC | {"n_feats": "64"})},
        {"spec": json.dumps(SPEC | {"n_feats": 96})},
        {"spec": json.dumps(SPEC | {"speed": 3})},
        {"spec": "[" * 100_000},
        {"card": "3"},
        {"card": "{"},
        {"card": json.dumps({"note": "x" * 100_000})},
        {"card": '{"a": ' + "[" * 32 + "]" * 32 + "}"},
    ],
)
def test_load_refuses_wrong_metadata(path, metadata):
    rewrite(path, **metadata)
    with pytest.raises(WeightsError):
        load_packed(path)


def test_numbers_of_a_card_that_no_float_holds_are_none(random_weights, path):
    card = {"steps": 7, "seconds": 10**400, "psnr": {"Set5": {"psnr": -(10**400)}}}
    dataclasses.replace(random_weights(), card=card).save(path)
    weights = load_packed(path)
    assert (weights.card, weights.psnr()) == ({"steps": 7, "seconds": None, "psnr": {"Set5": {"psnr": None}}}, {})


@pytest.mark.parametrize(("tensors", "metadata"), [({"x" * 2**16: 0}, {}), ({}, {"version": "y" * 2**16})])
def test_a_refusal_is_short_and_names_the_file(path, tensors, metadata):
    rewrite(path, {name: np.zeros(value, np.float32) for name, value in tensors.items()}, **metadata)
    with pytest.raises(WeightsError) as raised:
        load_packed(path)
    assert raised.value.message.startswith(f"{path}: ")
    assert len(raised.value.message) < 1000


@pytest.mark.parametrize("kind", ["scales-packed", "scales-packed-layers"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_load_says_how_to_get_the_new_form_of_an_old_file(path, kind, version):
    rewrite(path, format=kind, version=version)
    with pytest.raises(WeightsError, match=f"version '{version}' is no longer read") as caught:
        load_packed(path)
    assert "scales models pull" in caught.value.hint
    assert "scales train --init" in caught.value.hint


def test_layers_may_lack_channel_gates(random_weights, rng):
    """One that lacks them computes what one does whose filter is zero, with half the scale."""
    native_engine = pytest.importorskip("scales_cli.engine.native_engine")
    pytest.importorskip("scales_cli.engine._native")
    weights = random_weights(n_blocks=1)
    zero, none = dict(weights.tensors), dict(weights.tensors)
    zero["body.1.channel.weight"] = np.zeros(3, np.float32)
    del none["body.1.channel.weight"]
    none["body.1.scale"] = none["body.1.scale"] / 2
    planes = rng.random((1, 9, 13), np.float32)
    residuals = [
        native_engine.NativeEngine(dataclasses.replace(weights, tensors=tensors), 1).residual(planes)
        for tensors in (zero, none)
    ]
    assert np.array_equal(*residuals)


def test_load_refuses_other_files(tmp_path):
    path = tmp_path / "model.safetensors"
    for content in (b"", b"\0" * 100, pickle.dumps({"weight": 1}), b"\xff" * 8 + b"{}", b"PK\x03\x04" + b"\0" * 60):
        path.write_bytes(content)
        with pytest.raises(WeightsError):
            load_packed(path)


def test_load_refuses_what_is_no_file(tmp_path):
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "missing.safetensors"):
        with pytest.raises(WeightsError):
            load_packed(path)
