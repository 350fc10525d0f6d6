"""The packed form of every other backbone, which the hybrid engine runs: format "scales-packed-layers".

Tensors have the names of the torch network's. Those of a binary layer N of Ci inputs and Co outputs, W = ceil(Ci / 64)
words a pixel, are

    name             dtype  shape            meaning
    N.bits           U64    [Co, W] linear, [Co, k, k, W] convolution; bit i of word j: sign of input 64 j + i
    N.threshold      F32    [Ci]             beta: activation bit is set where x >= beta
    N.scale          F32    [Co]             alpha * weight scale * gate factors, >= 0: the bits hold its sign
    N.spatial        F32    [Ci]             1x1 convolution of the spatial re-scaling
    N.spatial_bias   F32    []
    N.shift_in       F32    [Co]             of a convolution, RPReLU as in `packed_srresnet`
    N.slope          F32    [Co]
    N.shift_out      F32    [Co]
    N.channel.weight F32    [K]              conv1d over the channels, where it has a channel-wise re-scaling
    N.bias           F32    [Co]             of a linear layer

Everything else is full precision. The checksum takes in each tensor's name, a zero byte and its data, in the names'
order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import WeightsError
from scales_cli.weights.packed_file import PackedWeights, Tensors, check_values


@dataclass(frozen=True)
class PackedLayers(PackedWeights):
    """Types and values are checked on construction; shapes, which torch knows best, when an engine opens it."""

    FORMAT: ClassVar[str] = "scales-packed-layers"

    spec: NetworkSpec
    values: Tensors
    card: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises `WeightsError` where a dtype or value is none that the format has."""
        if self.spec.runs_natively or self.spec.conv != "scales":
            raise WeightsError(
                f"{self.spec.backbone} with {self.spec.conv} layers is unknown here", "update scales-cli"
            )
        for name, array in self.values.items():
            expected = np.uint64 if name.endswith(".bits") else np.float32
            if array.dtype != expected:
                raise WeightsError(f"tensor {name} is {array.dtype}", "the weights file is damaged")
            check_values(name, array)
            if name.endswith(".scale") and (array < 0).any():
                raise WeightsError(f"tensor {name} holds negative values", "fold their sign into the bits")

    @classmethod
    def from_tensors(cls, spec: NetworkSpec, card: Mapping[str, Any], tensors: Tensors) -> Self:
        return cls(spec, tensors, card)

    def tensors(self) -> Tensors:
        return self.values

    def hashed(self) -> Iterator[bytes]:
        for name in sorted(self.values):
            yield f"{name}\0".encode()
            yield np.ascontiguousarray(self.values[name]).tobytes()
