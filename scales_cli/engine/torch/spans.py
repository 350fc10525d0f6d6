"""Tiles of a picture, with the context around them on which their output depends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scales_cli.backbones.spec import NetworkSpec

MAX_CONTEXT = 128  # HAT would need several hundred pixels


@dataclass(frozen=True)
class Span:
    """Along one axis: pixels [begin, end) of a tile, and [first, last) that are read for it."""

    begin: int
    end: int
    first: int
    last: int


def spans(length: int, side: int, context: int) -> Iterator[Span]:
    """Tiles of `side` pixels; if `side` and `context` are multiples of a window, so is every `first`."""
    for begin in range(0, length, side):
        yield span(begin, min(begin + side, length), length, context)


def span(begin: int, end: int, length: int, context: int, window: int = 1) -> Span:
    """Pixels [begin, end), read from a multiple of the window on."""
    return Span(begin, end, max(begin - context, 0) // window * window, min(end + context, length))


def context_of(spec: NetworkSpec) -> int:
    """The receptive field in LR pixels, a multiple of the window; of a Transformer at most about `MAX_CONTEXT`."""
    reach, window = spec.receptive_field, spec.window
    return min(reach, -(-MAX_CONTEXT // window) * window) if spec.is_transformer else reach
