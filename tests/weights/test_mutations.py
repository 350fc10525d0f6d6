"""Weight files of an attacker: refused, or a network that runs; no crash, nowhere."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.random_weights import random_model
from scales_cli.engine.base import ArrayPlanes
from scales_cli.engine.load import load_engine
from scales_cli.errors import ScalesError, WeightsError
from scales_cli.weights.packed import FORMAT, VERSION, load_packed

pytest.importorskip("scales_cli.engine._native")
EXTREMES = (0.0, -0.0, 1e-45, -1e6, 1e6, 1.0000001e6, 3e38, np.inf, -np.inf, np.nan)


@pytest.fixture(params=["srresnet", "photo", "swinir"])
def good(request, tmp_path):
    path, spec = tmp_path / "good.safetensors", NetworkSpec(scale=2, n_blocks=1)
    if request.param == "photo":
        spec = NetworkSpec(scale=2, n_blocks=1, planes="ycc", strength=True)
    if request.param == "swinir":
        pytest.importorskip("torch")
        options = {"n_layers": 2, "n_heads": 2, "window": 4}
        spec = NetworkSpec(scale=2, backbone="swinir", n_feats=8, n_blocks=1, backbone_options=options)
    random_model(spec).save(path)
    return path


def flip_bits(data, rng):
    """Some bits turned, mostly in the header; sometimes the end cut off, or a part repeated."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        data[rng.integers(1800 if rng.random() < 0.7 else len(data))] ^= 1 << int(rng.integers(8))
    if rng.random() < 0.1:
        del data[rng.integers(len(data)) :]
    if rng.random() < 0.1:
        start = int(rng.integers(len(data) or 1))
        data[start:start] = data[start : start + 100]
    return bytes(data)


@pytest.mark.parametrize("count", [250, pytest.param(2500, marks=pytest.mark.slow)])
def test_damage_is_found(good, tmp_path, rng, count):
    """Whatever is accepted is the same network, with the same card."""
    original, digest = good.read_bytes(), load_packed(good).digest()
    path = tmp_path / "mutated.safetensors"
    refused = 0
    for _ in range(count):
        path.write_bytes(flip_bits(original, rng))
        try:
            weights = load_packed(path)
        except WeightsError:
            refused += 1
        else:
            assert (weights.digest(), weights.card) == (digest, {})
    assert refused > 0.9 * count


def mutate(tensors, spec, rng):
    """One thing that is not as it should be."""
    name = str(rng.choice(sorted(tensors)))
    tensor = tensors[name]
    kind = rng.integers(8)
    if kind <= 2 and tensor.dtype == np.float32:
        values = tensor.copy().reshape(-1)
        places = rng.integers(values.size, size=rng.integers(1, 20))
        values[places] = rng.choice(EXTREMES, size=places.size)
        tensors[name] = values.reshape(tensor.shape)
    elif kind == 3:
        row = np.atleast_1d(tensor)
        tensors[name] = row[..., : rng.integers(row.shape[-1] + 1)]
    elif kind == 4:
        row = np.atleast_1d(tensor)
        tensors[name] = np.concatenate([row, row[: rng.integers(len(row) + 1)]])
    elif kind == 5:
        with np.errstate(all="ignore"):
            tensors[name] = tensor.astype(rng.choice(["float16", "float64", "int64", "uint8"]))
    elif kind == 6:
        tensors[name] = tensor.reshape(-1)
    else:
        spec[str(rng.choice(sorted(spec)))] = rng.choice([0, 1, 2, 3, 4, 16, 64, 128, -1, 2**31, 2**63 - 1]).item()


def write_signed(path, tensors, spec):
    """With the checksum that belongs to it, so that only what it holds can give it away."""
    checksum = hashlib.sha256(f"{json.dumps(spec)}\0{{}}\0".encode())
    for name in sorted(tensors):
        checksum.update(f"{name}\0".encode())
        checksum.update(np.ascontiguousarray(tensors[name]).tobytes())
    metadata = {"format": FORMAT, "version": VERSION, "spec": json.dumps(spec), "card": "{}"}
    path.write_bytes(safetensors.numpy.save(tensors, metadata | {"sha256": checksum.hexdigest()}))


@pytest.mark.parametrize("count", [250, pytest.param(2500, marks=pytest.mark.slow)])
def test_forgeries_run_or_are_refused(good, tmp_path, rng, count):
    path = tmp_path / "forged.safetensors"
    original = safetensors.numpy.load_file(good)
    spec = load_packed(good).spec.to_dict()
    write_signed(path, original, spec)
    assert load_packed(path).digest() == load_packed(good).digest()
    planes = ArrayPlanes(rng.random((load_packed(good).spec.inputs, 9, 13), np.float32))
    outcomes = {"refused": 0, "run": 0}
    for _ in range(count):
        tensors, changed = dict(original), dict(spec)
        for _ in range(rng.integers(1, 3)):
            mutate(tensors, changed, rng)
        write_signed(path, tensors, changed)
        try:
            engine = load_engine(load_packed(path), threads=1)
        except ScalesError:
            outcomes["refused"] += 1
        else:
            rows = np.concatenate([piece.planes for piece in engine.residual_rows(planes)], axis=1)
            assert rows.shape == (1, 9 * engine.spec.scale, 13 * engine.spec.scale)
            outcomes["run"] += 1
    assert min(outcomes.values()) > count // 50
