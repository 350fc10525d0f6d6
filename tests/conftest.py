"""Fixtures shared by all tests: a seeded generator and small random networks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on small tensors, torch's threads cost more than they bring

import numpy as np
import pytest

from scales_cli.config import NetworkSpec
from scales_cli.evaluation.random_weights import random_weights as random_weights_for
from scales_cli.weights.packed import PackedWeights

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs, and so us, with it ignored
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup with this one


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`isa` runs a test on every kernel table this CPU can execute."""
    if "isa" in metafunc.fixturenames:
        try:
            from scales_cli.engine import _native
        except ImportError:
            skip = pytest.mark.skip("the native engine is not built")
            metafunc.parametrize("isa", [pytest.param("reference", marks=skip)])
        else:
            metafunc.parametrize("isa", _native.available_isas())


@pytest.fixture(autouse=True)
def own_models(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty cache and no settings: neither what the user has is seen, nor is anything added to it."""
    folder = tmp_path_factory.mktemp("own") / "cache"
    monkeypatch.setenv("SCALES_CACHE", str(folder))
    monkeypatch.setenv("SCALES_CONFIG", str(folder.parent / "config.toml"))
    monkeypatch.setenv("SCALES_OFFLINE", "")
    for name in ("SCALES_MIRROR", "SCALES_MODEL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return folder / "models"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20231270)


@pytest.fixture(scope="session")
def draw_weights() -> Callable[..., PackedWeights]:
    """Makes random packed weights for a spec's dimensions."""

    def make(
        rng: np.random.Generator,
        *,
        scale: int = 4,
        colors: int = 1,
        n_feats: int = 64,
        n_blocks: int = 1,
        gate_taps: int = 5,
    ) -> PackedWeights:
        spec = NetworkSpec(scale=scale, colors=colors, n_feats=n_feats, n_blocks=n_blocks)
        return random_weights_for(spec, rng, gate_taps=gate_taps)

    return make


@pytest.fixture
def random_weights(
    rng: np.random.Generator, draw_weights: Callable[..., PackedWeights]
) -> Callable[..., PackedWeights]:
    return partial(draw_weights, rng)


@pytest.fixture
def weights_file(
    random_weights: Callable[..., PackedWeights], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """The path of a random model's packed file for a scale."""

    def make(scale: int = 4) -> Path:
        path = tmp_path_factory.mktemp("models") / f"scales-random-x{scale}.safetensors"
        random_weights(scale=scale).save(path)
        return path

    return make


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The standard test sets; tests that need them are skipped where they are missing."""
    folder = Path(os.environ.get("SCALES_DATA", Path(__file__).parents[2] / "shared" / "data")) / "benchmarks"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    return folder
