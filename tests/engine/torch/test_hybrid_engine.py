"""Packed networks of other backbones against the torch networks they were packed from, whole and in tiles."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import ArrayPlanes
from scales_cli.engine.ensemble import SelfEnsemble
from scales_cli.engine.load import load_engine
from scales_cli.engine.torch import hybrid_engine
from scales_cli.engine.torch.gates import fixed_gates, gates_of
from scales_cli.engine.torch.hybrid_engine import HybridEngine
from scales_cli.engine.torch.packing import pack, unpack
from scales_cli.engine.torch.reference_engine import ReferenceEngine
from scales_cli.engine.torch.spans import context_of, spans
from scales_cli.errors import UsageError, WeightsError
from scales_cli.networks.build import build_network
from scales_cli.networks.calibration import calibrate
from scales_cli.weights.family import resolve
from scales_cli.weights.packed import load_packed

SAMPLE = Path(__file__).parents[2] / "data" / "parrots.png"

SPECS = {
    "rdn": NetworkSpec(scale=3, backbone="rdn", n_blocks=1, backbone_options={"n_layers": 2}),
    "rcan": NetworkSpec(scale=2, backbone="rcan", n_blocks=1, backbone_options={"n_layers": 2}),
    "swinir": NetworkSpec(
        backbone="swinir", n_feats=24, n_blocks=1, backbone_options={"n_layers": 2, "n_heads": 2, "window": 4}
    ),
    "swinir-plain": NetworkSpec(
        scale=2,
        backbone="swinir",
        n_feats=40,
        n_blocks=2,
        conv_options={"channel": False, "activation": "prelu"},
        linear_options={"skip": False, "spatial": False},
        backbone_options={"n_layers": 2, "n_heads": 2, "window": 4},
    ),
    "swinir-odd": NetworkSpec(
        backbone="swinir", n_feats=24, n_blocks=1, backbone_options={"n_layers": 2, "n_heads": 2, "window": 3}
    ),
    "hat": NetworkSpec(
        scale=2,
        backbone="hat",
        n_feats=24,
        n_blocks=1,
        backbone_options={"n_layers": 2, "n_heads": 2, "window": 4, "compress": 4, "squeeze": 4},
    ),
}


@pytest.fixture
def network():
    """A network with every parameter moved away from its neutral start, scales of both signs included."""

    def make(name):
        torch.manual_seed(0)
        network = build_network(SPECS[name])
        calibrate(network, torch.rand(2, 1, 16, 16))
        with torch.no_grad():
            for key, value in network.named_parameters():
                if key.endswith((".scale", ".beta", ".bias", "shift_in", "shift_out", "slope", "position_bias")):
                    value.add_(torch.randn_like(value) * 0.03)
        return network.requires_grad_(False).eval()

    return make


@pytest.fixture
def planes(rng):
    """Smooth, as pictures are: in noise a turned sign would matter more."""

    def make(height, width):
        rows, columns = np.mgrid[:height, :width] / 7
        picture = 0.5 + 0.4 * np.sin(rows + np.cos(columns)) + 0.02 * rng.random((height, width))
        return picture.astype(np.float32)[None]

    return make


def decibels(result, expected):
    return -10 * np.log10(np.mean((result - expected) ** 2) + 1e-20)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_hybrid_engine_computes_what_torch_does(name, network, planes, tmp_path):
    trained, path = network(name), tmp_path / "model.safetensors"
    pack(trained, {}).save(path)
    weights = load_packed(path)
    picture = planes(13, 18)
    expected = ReferenceEngine(trained).residual(picture)
    assert np.abs(expected).mean() > 1e-3
    np.testing.assert_allclose(ReferenceEngine(unpack(weights)).residual(picture), expected, atol=1e-5)
    np.testing.assert_allclose(load_engine(path).residual(picture), expected, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_make_no_difference(threads, network, planes):
    weights, picture = pack(network("swinir"), {}), planes(30, 21)
    one = HybridEngine(weights, 1).residual(picture)
    assert decibels(HybridEngine(weights, threads).residual(picture), one) > 90


@pytest.mark.parametrize("name", sorted(SPECS))
@pytest.mark.parametrize(
    ("side", "height", "width"),
    [(8, 21, 19), (20, 45, 51), *(pytest.param(side, 45, 51, marks=pytest.mark.slow) for side in (8, 12))],
)
def test_tiles_with_their_context_make_the_whole_picture(name, side, height, width, network, planes, monkeypatch):
    """With gates fixed alike for both, nothing is missing from a tile but the last bits of torch's sums."""
    monkeypatch.setattr(hybrid_engine, "WHOLE_IMAGE_PIXELS", 0)
    engine = HybridEngine(pack(network(name), {}))
    source = ArrayPlanes(planes(height, width))
    side = -(-side // engine.spec.window) * engine.spec.window
    with fixed_gates(engine.network, engine.fix_gates(source)):
        whole = engine.residual(source.read(0, height, 0, width))
        tiled = np.concatenate([piece.planes for piece in engine.tiles(source, side, lambda fraction: None)], axis=1)
    assert tiled.shape == whole.shape
    assert decibels(tiled, whole) > 90


@pytest.mark.parametrize("name", ["rcan", "swinir", "hat"])
def test_gates_of_windows_come_near_those_of_the_picture(name, network, planes, monkeypatch):
    engine = HybridEngine(pack(network(name), {}))
    assert gates_of(engine.network)
    source = ArrayPlanes(planes(150, 140))
    whole = engine.residual(source.read(0, 150, 0, 140))
    monkeypatch.setattr(hybrid_engine, "WHOLE_IMAGE_PIXELS", 0)
    tiled = np.concatenate([piece.planes for piece in engine.residual_rows(source)], axis=1)
    assert decibels(tiled, whole) > 40  # random attention of RCAN differs most
    again = np.concatenate([piece.planes for piece in engine.residual_rows(source)], axis=1)
    assert np.array_equal(again, tiled)
    monkeypatch.setattr(hybrid_engine, "WHOLE_IMAGE_PIXELS", 2**16)
    assert np.array_equal(engine.residual(source.read(0, 150, 0, 140)), whole)  # nothing is fixed any longer


@pytest.mark.parametrize("name", ["rcan", "swinir"])
def test_ensemble_in_tiles_comes_near_the_whole_one(name, network, planes, monkeypatch):
    engine = HybridEngine(pack(network(name), {}), 1)
    ensemble, picture = SelfEnsemble(engine, 8), planes(75, 70)
    whole = ensemble.residual(picture)
    assert decibels(whole, engine.residual(picture)) < 90
    monkeypatch.setattr(hybrid_engine, "WHOLE_IMAGE_PIXELS", 0)
    tiling, need = ensemble.plan(75, 70, budget=0, pixel_bytes=3, tile=40)
    assert need > engine.plan(75, 70, budget=0, pixel_bytes=3, tile=40)[1]
    tiled = np.concatenate([piece.planes for piece in ensemble.residual_rows(ArrayPlanes(picture), tiling=tiling)], 1)
    assert decibels(tiled, whole) > 40


def test_tiles_of_the_trained_model_leave_no_seam(monkeypatch):
    engine = HybridEngine(resolve("swinir-mini").open(4).weights)
    pixels = np.asarray(Image.open(SAMPLE).convert("L").crop((0, 0, 200, 140)), np.float32)
    source = ArrayPlanes(pixels[None] / 255)
    height, width = pixels.shape
    whole = engine.residual(source.read(0, height, 0, width))
    monkeypatch.setattr(hybrid_engine, "WHOLE_IMAGE_PIXELS", 0)
    with fixed_gates(engine.network, engine.fix_gates(source)):
        uncut = engine.residual(source.read(0, height, 0, width))
        tiled = np.concatenate([piece.planes for piece in engine.tiles(source, 64, lambda fraction: None)], axis=1)
    assert decibels(tiled, whole) > 55
    difference = 255 * np.abs(tiled - uncut)[0].mean(axis=0)  # of columns
    borders = np.add.outer(np.arange(256, 4 * width, 256), [-1, 0])
    assert difference[borders].max() < 0.1
    assert difference.mean() < 0.01


@pytest.mark.parametrize("name", sorted(SPECS))
def test_the_context_reaches_as_far_as_the_network_sees(name, network, planes):
    """What lies beyond it changes nothing; what lies at its edge is not asked for needlessly by more than a window."""
    engine, context = HybridEngine(pack(network(name), {})), context_of(SPECS[name])
    side = 2 * context + SPECS[name].window
    source = ArrayPlanes(planes(side, 16))
    with fixed_gates(engine.network, engine.fix_gates(source)):
        before = engine.residual(source.read(0, side, 0, 16))
        changed = source.read(0, side, 0, 16)
        changed[:, :context] = 1 - changed[:, :context]
        after = engine.residual(changed)
    scale = SPECS[name].scale
    assert decibels(after[:, 2 * scale * context :], before[:, 2 * scale * context :]) > 90
    assert decibels(after[:, : scale * context], before[:, : scale * context]) < 60


def test_swinir_mini_sees_24_pixels_around():
    assert context_of(NetworkSpec(backbone="swinir", n_blocks=2, backbone_options={"n_layers": 2})) == 24
    assert context_of(NetworkSpec(n_blocks=4)) == 10


def test_spans_cover_a_length_once():
    parts = list(spans(45, 16, 8))
    assert [(part.begin, part.end) for part in parts] == [(0, 16), (16, 32), (32, 45)]
    assert [(part.first, part.last) for part in parts] == [(0, 24), (8, 40), (24, 45)]


def test_plan_takes_the_largest_tile_that_fits(network):
    engine = HybridEngine(pack(network("swinir"), {}))
    assert engine.plan(200, 200, budget=0, pixel_bytes=3)[0] is None
    needs = []
    for budget in (10**12, 300 * 2**20, 1):
        tiling, need = engine.plan(3000, 2000, budget=budget, pixel_bytes=3)
        assert tiling.rows % 4 == 0
        needs.append(need)
        assert need <= max(budget, needs[-1])
    assert needs == sorted(needs, reverse=True)
    tiling, _ = engine.plan(3000, 2000, budget=1, pixel_bytes=3, tile=101)
    assert tiling.rows == 104


def spoilt(weights, **tensors):
    tensors = {key: value for key, value in {**weights.tensors, **tensors}.items() if value is not None}
    return dataclasses.replace(weights, tensors=tensors)


def test_tensors_of_another_network_are_refused(network):
    weights = pack(network("swinir"), {})
    layer = "body.groups.0.layers.0.attention.query"
    for tensors in [
        {f"{layer}.bits": None},
        {f"{layer}.scale": np.ones(23, np.float32)},
        {"tail.weight": None},
        {"tail.weight": np.ones(3, np.float32)},
        {"body.extra": np.ones(3, np.float32)},
    ]:
        with pytest.raises(WeightsError):
            HybridEngine(spoilt(weights, **tensors))
        with pytest.raises(WeightsError):
            unpack(spoilt(weights, **tensors))
    with pytest.raises(WeightsError, match="negative"):
        spoilt(weights, **{f"{layer}.scale": -np.ones(24, np.float32)})
    with pytest.raises(WeightsError, match="no network has"):
        spoilt(weights, **{"tail.bias": np.full(16, np.nan, np.float32)})
    with pytest.raises(WeightsError, match="float64"):
        spoilt(weights, **{"tail.bias": np.zeros(16)})


def test_a_spec_that_asks_for_too_much_is_refused_before_it_is_built(network):
    """Some terabytes of attention and convolutions, if it were."""
    weights = pack(network("hat"), {})
    options = dict(weights.spec.backbone_options) | {"compress": 1, "window": 32, "n_layers": 4}
    spec = dataclasses.replace(weights.spec, n_feats=1024, n_blocks=64, backbone_options=options)
    with pytest.raises(WeightsError, match="wrong shape"):
        HybridEngine(dataclasses.replace(weights, spec=spec))
    for options in ({"n_heads": 7}, {"n_heads": 3, "window": 7}):
        spec = dataclasses.replace(weights.spec, backbone_options=dict(weights.spec.backbone_options) | options)
        with pytest.raises(WeightsError):
            HybridEngine(dataclasses.replace(weights, spec=spec))


def test_rivals_have_no_packed_form():
    for conv in ("binary", "bibert", "float"):
        spec = dataclasses.replace(SPECS["swinir"], layers=conv)
        with pytest.raises(UsageError, match="no packed form"):
            pack(build_network(spec), {})


def test_threads_must_be_one_or_more(network):
    with pytest.raises(UsageError):
        HybridEngine(pack(network("rcan"), {}), 0)
