"""The native engine: its equations, and one result for every instruction set, thread count and band height."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scales_cli.engine.base import ArrayPlanes
from scales_cli.engine.gate_windows import window_origins
from scales_cli.engine.load import load_engine
from scales_cli.engine.native_engine import NativeEngine
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import UsageError
from scales_cli.weights.packed import PackedWeights

native = pytest.importorskip("scales_cli.engine._native")

Maker = Callable[..., PackedWeights]


def content(engine: NativeEngine, planes: np.ndarray, tiling: Tiling | None = None) -> bytes:
    """All that the engine gives for planes, chroma last."""
    pieces = list(engine.residual_rows(ArrayPlanes(planes), tiling=tiling))
    chroma = [piece.chroma for piece in pieces if piece.chroma is not None]
    whole = np.concatenate([piece.planes for piece in pieces], axis=1).tobytes()
    return whole + (np.concatenate(chroma, axis=1).tobytes() if chroma else b"")


def random_planes(rng: np.random.Generator, colors: int, height: int, width: int) -> np.ndarray:
    return rng.random((colors, height, width), dtype=np.float32)


@pytest.mark.parametrize(
    ("scale", "kind", "n_feats", "height", "width"),
    [
        (4, "luma", 64, 9, 21),
        (2, "rgb", 128, 7, 17),
        (3, "luma", 64, 1, 1),
        (4, "rgb", 64, 1, 33),
        (3, "rgb", 128, 30, 1),
        (2, "luma", 64, 6, 48),
        (2, "ycc", 64, 7, 19),
        (3, "ycc", 64, 8, 33),
        (4, "ycc and strength", 64, 5, 40),
        (4, "luma and strength", 64, 5, 7),
    ],
)
def test_residual_follows_the_equations(
    isa: str,
    scale: int,
    kind: str,
    n_feats: int,
    height: int,
    width: int,
    rng: np.random.Generator,
    random_weights: Maker,
    oracle: Callable[..., Any],
) -> None:
    planes_of, _, with_strength = kind.partition(" and ")
    weights = random_weights(scale=scale, planes=planes_of, strength=bool(with_strength), n_feats=n_feats, n_blocks=2)
    planes = random_planes(rng, weights.spec.inputs, height, width)
    expected = oracle(weights, planes)
    (piece,) = NativeEngine(weights, 1, isa=isa).residual_rows(ArrayPlanes(planes))
    message = f"nearest threshold: {expected.margin} away"
    assert (expected.slack == 0).mean() > 0.5
    assert (np.abs(piece.planes - expected.planes) <= 2e-5 + expected.slack).all(), message
    if weights.spec.has_chroma:
        assert (np.abs(piece.chroma - expected.chroma) <= 2e-5 + expected.chroma_slack).all(), message
    else:
        assert piece.chroma is None


@pytest.mark.parametrize("n_feats", [64, 128])
@pytest.mark.parametrize("first", range(1, 71, 10))
def test_every_isa_gives_the_same_bytes(
    n_feats: int, first: int, rng: np.random.Generator, random_weights: Maker
) -> None:
    """Every width and height from 1 to 70; some pictures are passed as a whole, some are streamed."""
    isas = native.available_isas()
    for side in range(first, first + 10):
        scale, kind = int(rng.integers(2, 5)), str(rng.choice(["luma", "rgb", "ycc"]))
        weights = random_weights(scale=scale, planes=kind, strength=kind == "ycc", n_feats=n_feats)
        other = int(rng.integers(1, 6))
        for height, width in [(other, side), (side, other)]:
            planes = random_planes(rng, weights.spec.inputs, height, width)
            whole_image_pixels = int(rng.choice([0, 2**18]))
            engines = [NativeEngine(weights, 1, isa=isa, whole_image_pixels=whole_image_pixels) for isa in isas]
            assert len({content(engine, planes) for engine in engines}) == 1, (height, width)


TILINGS = [
    Tiling(41, 37, 4),
    Tiling(41, 10, 1),
    Tiling(41, 5, 41),
    Tiling(7, 37, 3),
    Tiling(16, 16, 16),
    Tiling(1, 1, 1),
]


def stream_with_gates_of_the_whole(engine: NativeEngine, planes: np.ndarray, tiling: Tiling) -> np.ndarray:
    """The streaming executor's output with the gates of the gate pass over the whole picture."""
    source = ArrayPlanes(planes)
    gates = engine._gate_pass([planes], lambda fraction: None).gates()
    return np.concatenate([piece.planes for piece in engine.stream(source, gates, tiling)], axis=1)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("tiling", TILINGS, ids=str)
def test_streaming_equals_the_gate_pass(
    threads: int, tiling: Tiling, rng: np.random.Generator, random_weights: Maker
) -> None:
    engine = NativeEngine(random_weights(scale=3, n_blocks=2), threads)
    planes = random_planes(rng, 1, 41, 37)
    whole = engine.residual(planes)
    np.testing.assert_array_equal(stream_with_gates_of_the_whole(engine, planes, tiling), whole)


@pytest.mark.parametrize("shape", [(1, 90), (90, 1), (1, 1), (5, 3), (75, 70)])
def test_large_pictures_do_not_depend_on_threads_or_tiling(
    shape: tuple[int, int], rng: np.random.Generator, random_weights: Maker
) -> None:
    weights = random_weights(scale=2, planes="ycc", strength=True, n_blocks=2)
    planes = random_planes(rng, 4, *shape)
    results = {
        content(NativeEngine(weights, threads, whole_image_pixels=0), planes, tiling)
        for threads, tiling in [(1, None), (1, TILINGS[0]), (2, TILINGS[2]), (4, TILINGS[4]), (2, None)]
    }
    assert len(results) == 1


def test_threads_share_a_layer_without_changing_it(rng: np.random.Generator, random_weights: Maker) -> None:
    weights = random_weights(n_blocks=1)
    planes = random_planes(rng, 1, 150, 140)
    results = {NativeEngine(weights, threads).residual(planes).tobytes() for threads in (1, 2, 5)}
    assert len(results) == 1


def test_a_tile_reads_only_its_halo(rng: np.random.Generator, random_weights: Maker) -> None:
    engine = NativeEngine(random_weights(n_blocks=2), 1)
    planes = random_planes(rng, 1, 50, 40)
    gates = engine.fix_gates(ArrayPlanes(planes))
    stream = native.RowStream(engine._network, gates, 50, 40, 20, 30, 14, 24)
    halo = engine.spec.receptive_field
    assert (stream.first_row, stream.first_column, stream.columns) == (20 - halo, 14 - halo, 10 + 2 * halo)
    out = np.empty((1, 40, 40), np.float32)
    for rows in (1, 4, 5):
        first, left = stream.first_row, stream.first_column
        crop = planes[:, first : first + stream.rows_needed(rows), left : left + stream.columns].copy()
        stream.advance(rows, crop, out, None, 10 - stream.rows_left, 0)
    assert (stream.first_row, stream.rows_left) == (30 + halo, 0)
    pieces = engine.stream(ArrayPlanes(planes), gates, Tiling(50, 40, 8))
    whole = np.concatenate([piece.planes for piece in pieces], axis=1)
    np.testing.assert_array_equal(out, whole[:, 80:120, 56:96])


def test_one_thread_gives_a_large_picture_in_small_pieces(random_weights: Maker) -> None:
    """So that their memory is used again, and no page is fresh."""
    tiling, working = NativeEngine(random_weights(), 1).plan(540, 960, budget=2**40, pixel_bytes=3)
    assert tiling == Tiling(540, 960, 32)
    assert working < 540 * 960 * 4 * 16


def test_each_thread_of_a_whole_picture_has_rows_of_its_own_in_the_plan(random_weights: Maker) -> None:
    weights = random_weights()
    one, many = (NativeEngine(weights, threads).plan(64, 4096, budget=2**40, pixel_bytes=3)[1] for threads in (1, 17))
    tail_rows = 4 * 4096 * weights.spec.n_feats  # of bytes
    assert many - one >= 16 * tail_rows


def test_window_origins_depend_on_the_length_alone() -> None:
    assert window_origins(1) == [0, 0, 0, 0]
    assert window_origins(32) == [0, 0, 0, 0]
    assert window_origins(512) == [0, 160, 320, 480]
    assert window_origins(512, 64) == [0, 149, 298, 448]


def test_progress_ends_at_one(rng: np.random.Generator, random_weights: Maker) -> None:
    for limit in (2**18, 0):
        fractions: list[float] = []
        engine = NativeEngine(random_weights(), 2, whole_image_pixels=limit)
        engine.residual(random_planes(rng, 1, 40, 40), tiling=Tiling(16, 40, 4), progress=fractions.append)
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0


def test_an_error_in_progress_stops_the_work(rng: np.random.Generator, random_weights: Maker) -> None:
    engine = NativeEngine(random_weights(), 2, whole_image_pixels=0)

    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.residual(random_planes(rng, 1, 64, 64), progress=interrupt)
    assert engine.residual(random_planes(rng, 1, 8, 8)).shape == (1, 32, 32)


def test_one_engine_serves_several_threads(rng: np.random.Generator, random_weights: Maker) -> None:
    engine = NativeEngine(random_weights(), 2)
    planes = random_planes(rng, 1, 30, 30)
    expected = engine.residual(planes)
    results: list[np.ndarray] = []
    workers = [threading.Thread(target=lambda: results.append(engine.residual(planes))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(result, expected) for result in results)
    assert len(results) == 4


def test_an_unknown_isa_is_refused(monkeypatch: pytest.MonkeyPatch, random_weights: Maker) -> None:
    with pytest.raises(UsageError, match=r"available: .*reference"):
        NativeEngine(random_weights(), 1, isa="sse9")
    monkeypatch.setenv("SCALES_ISA", "sse9")
    with pytest.raises(UsageError, match=r"SCALES_ISA=sse9") as raised:
        NativeEngine(random_weights(), 1)
    assert "reference" in raised.value.hint


def test_scales_isa_forces_a_table(isa: str, tmp_path: Path, random_weights: Maker) -> None:
    random_weights().save(tmp_path / "net.safetensors")
    program = (
        "import pathlib, sys; from scales_cli.engine.load import load_engine\n"
        "print(load_engine(pathlib.Path(sys.argv[1]), threads=1).isa)"
    )
    # -P: not the source tree we may stand in, whose engine may not be built
    command = [sys.executable, "-P", "-c", program, str(tmp_path / "net.safetensors")]
    environment = os.environ | {"SCALES_ISA": isa, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip() == isa


def test_load_engine_opens_a_file(tmp_path: Path, rng: np.random.Generator, random_weights: Maker) -> None:
    weights = random_weights()
    weights.save(tmp_path / "tiny.safetensors")
    engine = load_engine(tmp_path / "tiny.safetensors", threads=1)
    planes = random_planes(rng, 1, 6, 9)
    np.testing.assert_array_equal(engine.residual(planes), NativeEngine(weights, 1).residual(planes))
    assert engine.spec == weights.spec


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 0, 8), (1, 8, 0)])
def test_residual_refuses_other_planes(shape: tuple[int, int, int], random_weights: Maker) -> None:
    with pytest.raises(UsageError):
        NativeEngine(random_weights(), 1).residual(np.zeros(shape, np.float32))


def test_native_calls_refuse_rows_and_layers_outside(rng: np.random.Generator, random_weights: Maker) -> None:
    network = NativeEngine(random_weights(), 1)._network
    planes = random_planes(rng, 1, 8, 8)
    gate_pass = native.GatePass(network, [planes])
    out = np.zeros((1, 32, 32), np.float32)
    stream = partial(native.RowStream, network, gate_pass.gates(), 8, 8)
    for call in [
        lambda: gate_pass.head(0, 9),
        lambda: gate_pass.head(-1, 3),
        lambda: gate_pass.head(3, 3),
        lambda: gate_pass.layer(2, 0, 8),
        lambda: gate_pass.layer(-1, 0, 8),
        lambda: gate_pass.fix_gates(2),
        lambda: gate_pass.residual(0, 9, out, None),
        lambda: gate_pass.residual(0, 8, out[:, :28].copy(), None),
        lambda: gate_pass.residual(0, 8, np.zeros((1, 32, 33), np.float32), None),
        lambda: gate_pass.residual(0, 8, out, np.zeros((2, 8, 8), np.float32)),
        lambda: native.GatePass(network, []),
        lambda: native.GatePass(network, [planes, np.zeros((1, 8, 9), np.float32)]),
        lambda: native.GatePass(network, [np.zeros((3, 8, 8), np.float32)]),
        lambda: stream(4, 9, 0, 8),
        lambda: stream(4, 4, 0, 8),
        lambda: stream(0, 8, -1, 8),
        lambda: stream(0, 8, 0, 9),
        lambda: stream(0, 8, 3, 3),
        lambda: native.RowStream(network, gate_pass.gates(), 8, 2**20 + 1, 0, 8, 0, 8),
        lambda: native.RowStream(
            network, NativeEngine(random_weights(n_blocks=2))._gate_pass([planes], print).gates(), 8, 8, 0, 8, 0, 8
        ),
        lambda: stream(0, 8, 0, 8).advance(8, planes, out[:, :28].copy(), None, 0, 0),
        lambda: stream(0, 8, 0, 8).advance(8, planes[:, :7].copy(), out, None, 0, 0),
        lambda: stream(0, 8, 0, 8).advance(8, planes, out, None, 1, 0),
        lambda: stream(0, 8, 0, 8).advance(8, planes, out, None, 0, 1),
        lambda: stream(0, 8, 0, 8).advance(8, planes, out, None, -1, 0),
        lambda: stream(0, 8, 0, 8).advance(9, planes, out, None, 0, 0),
        lambda: stream(0, 8, 0, 8).advance(0, planes, out, None, 0, 0),
    ]:
        with pytest.raises(ValueError, match=r"."):
            call()


def test_native_calls_convert_nothing_silently(rng: np.random.Generator, random_weights: Maker) -> None:
    network = NativeEngine(random_weights(), 1)._network
    for planes in (rng.random((1, 8, 8)), random_planes(rng, 1, 8, 16)[:, :, ::2]):
        with pytest.raises(TypeError):
            native.GatePass(network, [planes])


def test_weights_need_not_be_contiguous(rng: np.random.Generator, random_weights: Maker) -> None:
    weights = random_weights()
    tensors = {name: np.asarray(tensor, order="F") for name, tensor in weights.tensors.items()}
    strided = dataclasses.replace(weights, tensors=tensors)
    planes = random_planes(rng, 1, 6, 9)
    expected = NativeEngine(weights, 1).residual(planes)
    np.testing.assert_array_equal(NativeEngine(strided, 1).residual(planes), expected)


def test_native_calls_refuse_chroma_of_another_shape_or_none(rng: np.random.Generator, random_weights: Maker) -> None:
    network = NativeEngine(random_weights(planes="ycc", strength=True), 1)._network
    planes = random_planes(rng, 4, 8, 8)
    gate_pass = native.GatePass(network, [planes])
    out, chroma = np.zeros((1, 32, 32), np.float32), np.zeros((2, 8, 8), np.float32)
    gate_pass.residual(0, 8, out, chroma)
    for wrong in (None, chroma[:1].copy(), chroma[:, :7].copy(), chroma[:, :, :7].copy()):
        with pytest.raises(ValueError, match="chroma"):
            gate_pass.residual(0, 8, out, wrong)
        stream = native.RowStream(network, gate_pass.gates(), 8, 8, 0, 8, 0, 8)
        with pytest.raises(ValueError, match="chroma"):
            stream.advance(8, planes, out, wrong, 0, 0)
