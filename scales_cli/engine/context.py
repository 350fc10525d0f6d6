"""How far around a tile its output depends on the picture, and tiles with that context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scales_cli.config import NetworkSpec
from scales_cli.engine.tiling import halo

MAX_CONTEXT = 128  # HAT would need several hundred pixels


@dataclass(frozen=True)
class Span:
    """Along one axis: pixels [begin, end) of a tile, and [first, last) that are read for it."""

    begin: int
    end: int
    first: int
    last: int


def spans(length: int, side: int, context: int) -> Iterator[Span]:
    """Tiles of `side` pixels; where `side` and `context` are multiples of a window, so is every `first`."""
    for begin in range(0, length, side):
        end = min(begin + side, length)
        yield Span(begin, end, max(begin - context, 0), min(end + context, length))


def window_of(spec: NetworkSpec) -> int:
    """What tiles have to be multiples of, so that windows of tokens lie where they do in the whole picture."""
    return int(spec.dimensions.get("window", 1))


def context_of(spec: NetworkSpec) -> int:
    """LR pixels, a multiple of the window: as far as the receptive field reaches, or `MAX_CONTEXT`."""
    size: dict[str, int] = spec.dimensions
    if spec.backbone == "srresnet":
        return halo(spec)
    if spec.backbone == "rdn":
        return spec.n_blocks * size["n_layers"] + 4  # head, first, fusion, tail
    if spec.backbone == "rcan":
        return spec.n_blocks * (2 * size["n_layers"] + 1) + 2
    window, reach = size["window"], 2  # tail and last convolution
    if spec.backbone == "hat":
        reach = 4  # its tail's convolutions at twice the resolution reach half as far, and so on
    for _ in range(spec.n_blocks):
        reach += 1  # the group's convolution
        if spec.backbone == "hat":
            reach = _ceil(reach, window) + int(window * size["overlap"]) // 2
        for layer in reversed(range(size["n_layers"])):
            shift = window // 2 if layer % 2 else 0
            around = _ceil(max(reach - shift, 0), window) + shift
            reach = max(around, reach + 2) if spec.backbone == "hat" else around  # beside two convolutions
    return min(_ceil(reach + 1, window), _ceil(MAX_CONTEXT, window))


def _ceil(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
