"""Operations and parameters of a network, by the rule of the binary super-resolution papers.

    operations = full-precision MACs + binary MACs / 64          for an LR picture of 320 x 180, at every scale
    parameters = full-precision parameters + binary parameters / 32

`count` takes a network's parts as the published tables do: of a convolutional one its convolutions, whose biases count
if they are full precision; of a Transformer all parameters, and the products of attention. Scales, thresholds, gates
and activations are left out; `networks.cost` adds them. 8 and 16 bits count as full precision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

LR_PIXELS = 320 * 180


@dataclass(frozen=True)
class Cost:
    operations: float
    parameters: float


class Part(Protocol):
    """`operations` are for each LR pixel."""

    @property
    def operations(self) -> float: ...

    @property
    def parameters(self) -> float: ...


@dataclass(frozen=True)
class ConvCost:
    """A convolution, of kernel 1 a linear layer, that runs `times` for each LR pixel.

    A transposed one, too, is counted by what each input adds. `bias` is by default true for full precision only.
    """

    inputs: int
    outputs: int
    kernel: int
    binary: bool = False
    bias: bool | None = None
    times: int = 1

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs * self.kernel**2

    @property
    def operations(self) -> float:
        return self.times * self.weights / (64 if self.binary else 1)

    @property
    def parameters(self) -> float:
        has_bias = not self.binary if self.bias is None else self.bias
        return self.weights / (32 if self.binary else 1) + has_bias * self.outputs


@dataclass(frozen=True)
class NormCost:
    """A normalization's factors and summands."""

    channels: int
    operations: float = 0

    @property
    def parameters(self) -> float:
        return 2 * self.channels


@dataclass(frozen=True)
class AttentionCost:
    """The two products of each token with `keys` others, and the table of position biases."""

    channels: int
    keys: int
    table: int

    @property
    def operations(self) -> float:
        return 2 * self.keys * self.channels

    @property
    def parameters(self) -> float:
        return self.table


def count(parts: Iterable[Part]) -> Cost:
    parts = list(parts)
    return Cost(LR_PIXELS * sum(part.operations for part in parts), sum(part.parameters for part in parts))
