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


def test_save_and_load_keep_everything(random_weights, tmp_path):
    weights = dataclasses.replace(random_weights(scale=3, planes="rgb", n_feats=128, n_blocks=2), card={"steps": 7})
    for _ in range(2):  # the second time over the first
        weights.save(tmp_path / "model.safetensors")
    loaded = load_packed(tmp_path / "model.safetensors")
    for field in dataclasses.fields(weights):
        saved, read = getattr(weights, field.name), getattr(loaded, field.name)
        assert np.array_equal(saved, read) if isinstance(saved, np.ndarray) else saved == read
    assert sorted(tmp_path.iterdir()) == [tmp_path / "model.safetensors"]


def test_saved_files_have_the_usual_permissions(path, tmp_path):
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(
    "tensors",
    [
        {"body.bits": None},
        {"body.extra": np.zeros(1, np.float32)},
        {"body.bits": np.zeros((2, 64, 3, 3, 1), np.int64)},
        {"body.scale": np.zeros((2, 63), np.float32)},
        {"body.scale": np.full((2, 64), -1, np.float32)},
        {"body.slope": np.full((2, 64), np.nan, np.float32)},
        {"tail.weight": np.full((16, 64, 3, 3), np.inf, np.float32)},
        {"tail.weight": np.full((16, 64, 3, 3), 1e30, np.float32)},
        {"body.channel": np.zeros((2, 4), np.float32)},
        {"body.channel": np.zeros((2, 65), np.float32)},
        {"body.channel": np.zeros((2, 0), np.float32)},
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
        {"version": "2"},
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
    ],
)
def test_load_refuses_wrong_metadata(path, metadata):
    rewrite(path, **metadata)
    with pytest.raises(WeightsError):
        load_packed(path)


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
