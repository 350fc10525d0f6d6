"""What is said about a backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from scales_cli.backbones.cost import ConvCost, Part


class Dimensions(Protocol):
    """What a backbone asks of a `NetworkSpec`."""

    @property
    def scale(self) -> int: ...

    @property
    def colors(self) -> int: ...

    @property
    def outputs(self) -> int: ...

    @property
    def n_feats(self) -> int: ...

    @property
    def n_blocks(self) -> int: ...

    @property
    def is_binary(self) -> bool: ...


@dataclass(frozen=True)
class Option:
    """An inner size: its value as published, and the bounds of others."""

    default: int | float
    least: float = 1
    most: float = 256


def pixel_shuffle_tail(spec: Dimensions) -> list[Part]:
    return [ConvCost(spec.n_feats, spec.outputs, 3)]


@dataclass(frozen=True)
class Backbone:
    """One backbone; its functions take a spec and the values of `options` by name.

    sizes: what `--size` stands for, as fields of a `NetworkSpec`.
    body, tail: parts to be counted.
    receptive_field: LR pixels around a tile on which its output depends.
    live_features: tensors of features that are in memory at once.
    native_stack: names of the layers of a body that is nothing but 3x3 convolutions, one after the other, which the
    native engine runs alone; None for a body that needs torch.
    """

    sizes: Mapping[str, Mapping[str, Any]]
    body: Callable[..., list[Part]]
    receptive_field: Callable[..., int]
    live_features: Callable[..., int]
    options: Mapping[str, Option] = field(default_factory=dict)
    tail: Callable[[Dimensions], list[Part]] = pixel_shuffle_tail
    native_stack: Callable[[Dimensions], Sequence[str]] | None = None


def body_conv(spec: Dimensions, inputs: int | None = None, outputs: int | None = None, kernel: int = 3) -> ConvCost:
    """One of a body's convolutions."""
    return ConvCost(inputs or spec.n_feats, outputs or spec.n_feats, kernel, spec.is_binary)
