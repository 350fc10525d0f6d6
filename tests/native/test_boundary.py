"""The native engine's boundary, fuzzed: whatever it is called with, it works or refuses, and writes nowhere else.

Under AddressSanitizer and UBSan (`.ci/sanitize`) it reads nowhere else, either, and no number overflows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from scales_cli.engine.layer_stack import stack_layers
from scales_cli.weights.packed import PackedWeights

native = pytest.importorskip("scales_cli.engine._native")

GUARD = 64  # elements before and behind an array
REFUSALS = (ValueError, TypeError, MemoryError)
INTEGERS = (-(2**63), -(2**31), -(2**31) + 1, -4097, -1, 0, 1, 2, 3, 5, 63, 65, 4096, 4097, 2**20, 2**20 + 1, 2**30)
INTEGERS += (2**31 - 65, 2**31 - 4, 2**31 - 2, 2**31 - 1, 2**31, 2**32, 2**63 - 1)
DTYPES = (np.uint8, np.int8, np.uint16, np.int32, np.uint64, np.float32, np.float64)


@dataclass(frozen=True)
class Call:
    """A call that works."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]


class Guarded:
    """Arrays between elements that nobody may write."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.around: list[np.ndarray] = []

    def array(self, shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
        size = int(np.prod(shape))
        whole = self.rng.integers(0, 2, size + 2 * GUARD).astype(dtype)
        self.around += [whole[:GUARD], whole[-GUARD:]]
        return whole[GUARD:-GUARD].reshape(shape)

    def guards(self) -> list[bytes]:
        return [part.tobytes() for part in self.around]


def calls(arrays: Guarded, weights: PackedWeights) -> Iterator[Call]:
    """Every function of the module, in an order in which objects are used as they are meant to be."""
    spec, rng = weights.spec, arrays.rng
    tensors = {name.replace(".", "_"): weights.tensors[name] for name in ("head.weight", "head.bias")}
    tensors |= {f"tail_{part}": weights.tensors[f"tail.{part}"] for part in ("weight", "gain", "scale", "bias")}
    tensors |= stack_layers(weights)
    options = {"colors": spec.colors, "chroma": 2 if spec.has_chroma else 0}
    isa = str(rng.choice(native.available_isas()))
    made = {"scale": spec.scale, **options, **tensors, "isa": isa}
    yield Call("Network", native.Network.from_tensors, made)
    network = native.Network.from_tensors(**made)
    height, width, scale = int(rng.integers(1, 9)), int(rng.integers(1, 40)), spec.scale
    dimensions = {"scale": scale, "planes": spec.inputs, **options, "channels": spec.n_feats, "layers": spec.n_blocks}

    windows = [arrays.array((spec.inputs, height, width))]
    yield Call("GatePass", native.GatePass, {"network": network, "windows": windows})
    yield Call("GatePass.bytes", native.GatePass.bytes, {**dimensions, "rows": height, "width": width, "threads": 2})
    gate_pass = native.GatePass(network, windows)
    yield Call("head", gate_pass.head, {"begin": 0, "end": height})
    for layer in range(network.layers):
        yield Call("fix_gates", gate_pass.fix_gates, {"layer": layer})
        yield Call("layer", gate_pass.layer, {"layer": layer, "begin": 0, "end": height})
    out = arrays.array((spec.colors, scale * height, scale * width))
    chroma = arrays.array((2, height, width)) if spec.has_chroma else None
    yield Call("residual", gate_pass.residual, {"begin": 0, "end": height, "out": out, "chroma": chroma})

    tile = {"height": height, "width": width, "top": 0, "bottom": height, "left": 0, "right": width}
    made = {"network": network, "gates": gate_pass.gates(), **tile}
    yield Call("RowStream", native.RowStream, made)
    yield Call("RowStream.bytes", native.RowStream.bytes, {**dimensions, "columns": width})
    stream = native.RowStream(**made)
    while rows := stream.rows_left:
        rows = int(rng.integers(1, rows + 1))
        row = height - stream.rows_left
        yield Call("rows_needed", stream.rows_needed, {"rows": rows})
        planes = arrays.array((spec.inputs, stream.rows_needed(rows), stream.columns))
        place = {"out": out, "chroma": chroma, "row": row, "column": 0}
        yield Call("advance", stream.advance, {"rows": rows, "planes": planes, **place})

    heads, window, channels = int(rng.integers(1, 4)), int(rng.integers(1, 5)), 4
    made = {"bias": arrays.array((heads, window**2, window**2)), "window": window, "shift": window // 2, "isa": isa}
    yield Call("WindowAttention", native.WindowAttention, made)
    attention = native.WindowAttention(**made)
    yield Call("window_rows", attention.window_rows, {"height": height})
    tokens = {name: arrays.array((height, width, heads * channels)) for name in ("query", "key", "value", "out")}
    yield Call("attend", attention.run, {**tokens, "begin": 0, "end": attention.window_rows(height)})

    inputs, taps = int(rng.choice([1, 63, 64, 65, 130])), int(rng.choice([1, 9]))
    names = ("scale", "shift_in", "slope", "shift_out")
    made = {name: arrays.array((inputs,)) for name in (*names, "threshold", "spatial")}
    made |= {"bits": arrays.array((inputs, taps, -(-inputs // 64)), np.uint64), "spatial_bias": 0.5}
    made |= {"skip": True, "isa": isa}
    yield Call("ChannelsLastLayer", native.ChannelsLastLayer, made)
    layer = native.ChannelsLastLayer(**made)
    pixels = {name: arrays.array((height, width, inputs)) for name in ("picture", "out")}
    yield Call("run", layer.run, {**pixels, "begin": 0, "end": height, "gate": arrays.array((inputs,))})

    yield Call("pack_activations", native.pack_activations, {"signs": arrays.array((inputs, height, width), np.int8)})
    packed = arrays.array((height, -(-inputs // 64), width), np.uint64)
    kernels = arrays.array((5, 3, 3, -(-inputs // 64)), np.uint64)
    yield Call("bconv2d", native.bconv2d, {"packed": packed, "weights": kernels, "channels": inputs, "isa": isa})
    codes, outputs, size = arrays.array((2, height, width, 5), np.uint8), 33, int(rng.choice([1, 3, 5]))
    kernels = arrays.array((outputs, 5, size, size), np.int8)
    kernels[...] = 2 * kernels - 1
    made = {"codes": codes, "zero": 1, "weights": kernels, "begin": 1, "end": 2 * height}
    made |= {"out": arrays.array((2, height, width, outputs)), "isa": isa}
    yield Call("convolve_signs", native.convolve_signs, made)
    gradients = arrays.array((2, height, width, outputs), np.int8)
    made = {"codes": codes, "gradients": gradients, "out": arrays.array(kernels.shape, np.int32), "isa": isa}
    yield Call("correlate_signs", native.correlate_signs, made)
    for dtype in (np.uint8, np.uint16):
        image = arrays.array((height, width, 3), dtype)
        rows = {"scale": scale, "begin": 0, "end": scale * height, "isa": isa}
        large = arrays.array((scale * height, scale * width, 3), dtype)
        residual = arrays.array((1, scale * height, scale * width))
        small = {"chroma": arrays.array((2, height, width)), "weights": arrays.array((height, width))}
        added = {"residual": residual, **small, "chroma_first": 0}
        yield Call("compose", native.compose, {"image": image, "out": large, **added, **rows})
        turned = arrays.array((1, scale * width, scale * height), np.int32).transpose(0, 2, 1)[:, ::-1]
        yield Call("add_residual", native.add_residual, {"added": residual, "sums": turned})
        yield Call("luma", native.luma, {"image": image, "out": arrays.array((height, width))})
        yield Call("ycc", native.ycc, {"image": image, "out": arrays.array((3, height, width))})
    rows = {"scale": scale, "begin": 0, "end": scale * height, "height": height}
    out = arrays.array((scale * height, scale * width, 3))
    yield Call("spread_addends", native.spread_addends, {**added, "out": out, **rows})


def unaligned(values: np.ndarray) -> np.ndarray:
    """The same values one byte beside where they should lie."""
    buffer = np.zeros(values.nbytes + 1, np.uint8)
    moved = np.frombuffer(buffer, values.dtype, values.size, 1).reshape(values.shape)
    moved[...] = values
    return moved


def mutated(value: Any, rng: np.random.Generator) -> Any:
    """Something else in the place of an argument."""
    if isinstance(value, list) and value and rng.random() < 0.9:
        return [*value, mutated(value[0], rng)] if rng.random() < 0.5 else [mutated(value[0], rng)] * rng.integers(3)
    if isinstance(value, np.ndarray) and rng.random() < 0.9:
        axis = int(rng.integers(value.ndim)) if value.ndim else 0
        shape = list(value.shape)
        if shape:
            shape[axis] = max(0, shape[axis] + int(rng.choice([-2, -1, 1, 2, 64, -shape[axis]])))
        read_only = value.view()
        read_only.flags.writeable = False
        return rng.choice(
            np.array(
                [
                    lambda: np.resize(value, shape) if value.size else np.zeros(shape, value.dtype),
                    lambda: value.astype(rng.choice(np.array(DTYPES, object))),
                    lambda: unaligned(value),
                    lambda: np.repeat(value, 2, axis=-1)[..., ::2],
                    lambda: np.asfortranarray(value),
                    lambda: value[None],
                    lambda: read_only,
                ],
                object,
            )
        )()
    if isinstance(value, float):
        return float(rng.choice([np.nan, np.inf, -1.0, 0.0, 1e308]))
    return rng.choice(np.array([None, "reference", "", "avx", True, 1.5, *INTEGERS * 3], object))


def fuzz(seed: int, count: int, draw: Callable[..., PackedWeights]) -> dict[str, list[bool]]:
    """Makes `count` calls with changed arguments; which of each function's were refused."""
    rng = np.random.default_rng(seed)
    refused: dict[str, list[bool]] = {}
    while sum(map(len, refused.values())) < count:
        planes, strength = str(rng.choice(["luma", "rgb", "ycc"])), bool(rng.random() < 0.3)
        arrays = Guarded(rng)
        for call in calls(arrays, draw(rng, scale=int(rng.integers(2, 5)), planes=planes, strength=strength)):
            call.function(**call.arguments)
            for _ in range(3):
                names = rng.choice(list(call.arguments), int(rng.integers(1, 3)))
                arguments = call.arguments | {str(name): mutated(call.arguments[name], rng) for name in names}
                before, was_refused = arrays.guards(), False
                try:
                    call.function(**arguments)
                except REFUSALS:
                    was_refused = True
                assert arrays.guards() == before, call.name
                refused.setdefault(call.name, []).append(was_refused)
    return refused


def test_whatever_it_is_called_with_it_works_or_refuses(draw_weights: Callable[..., PackedWeights]) -> None:
    refused = fuzz(20231270, 600, draw_weights)
    assert len(refused) >= 20
    assert all(any(outcomes) for outcomes in refused.values())


@pytest.mark.slow
def test_whatever_it_is_called_with_many_times(draw_weights: Callable[..., PackedWeights]) -> None:
    fuzz(1, 100_000, draw_weights)


def test_unaligned_arrays_are_refused(draw_weights: Callable[..., PackedWeights], rng: np.random.Generator) -> None:
    seen = 0
    for call in calls(Guarded(rng), draw_weights(rng, planes="ycc")):
        for name, value in call.arguments.items():
            for array in value if isinstance(value, list) else [value]:
                if isinstance(array, np.ndarray) and array.itemsize > 1 and array.size:
                    moved = unaligned(array)
                    with pytest.raises(TypeError):
                        call.function(**(call.arguments | {name: [moved] if isinstance(value, list) else moved}))
                    seen += 1
        call.function(**call.arguments)
    assert seen > 30


def test_numbers_that_would_overflow_are_refused(
    draw_weights: Callable[..., PackedWeights], rng: np.random.Generator
) -> None:
    for call in calls(Guarded(rng), draw_weights(rng)):
        for name, value in call.arguments.items():
            if isinstance(value, int) and not isinstance(value, bool):
                for extreme in (2**31 - 1, 2**31 - 2, 2**31, -(2**31), -(2**31) - 1):
                    with pytest.raises(REFUSALS):
                        call.function(**(call.arguments | {name: extreme}))
        call.function(**call.arguments)
