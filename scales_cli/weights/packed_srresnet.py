"""The packed form of an SRResNet, which the native engine runs: format "scales-packed".

With L binary convolutions of F channels, W = F / 64 words a pixel, I input planes, C enlarged planes (O outputs: C s s,
and 2 of chroma if the planes are "ycc") and scale s, its tensors are

    name             dtype  shape            meaning
    head.weight      F32    [F, I, 3, 3]     full-precision first convolution, applied to 4 x - 2
    head.bias        F32    [F]
    body.bits        U64    [L, F, 3, 3, W]  bit i of word j: sign of input channel 64 j + i; set is +1, clear is -1
    body.threshold   F32    [L, F]           beta: activation bit is set where x >= beta
    body.scale       F32    [L, F]           alpha * weight scale * both gate factors, >= 0: the bits hold its sign
    body.spatial     F32    [L, F]           1x1 convolution of the spatial re-scaling
    body.spatial_bias F32   [L]
    body.channel     F32    [L, K]           conv1d over the channels of the channel-wise re-scaling, K odd
    body.shift_in    F32    [L, F]           RPReLU: z - shift_in,
    body.slope       F32    [L, F]           times slope where negative (slopes may be negative),
    body.shift_out   F32    [L, F]           + shift_out
    tail.weight      F32    [O, F, 3, 3]     full-precision last convolution; pixel shuffle follows
    tail.bias        F32    [O]

With u = popcount arithmetic of the +-1 convolution (zero padding), layer l computes, on its input x [F, H, W],

    b = x >= threshold                                   one bit a channel
    z = scale * bconv3x3(b, bits) * sigmoid(<spatial, x> + spatial_bias) * sigmoid(conv1d(mean_hw(x), channel))
    z = z - shift_in;  y = x + (z if z >= 0 else slope * z) + shift_out

and the network, for planes p in [0, 1], t = tail(body(h) + h), h = head(4 p - 2), whose first C s s channels,
pixel-shuffled, are the residual over the bicubically upscaled planes; two more are the residual over the LR chroma. The
planes are luma, R G B or Y Cb Cr, then the strength if the spec has one. All convolutions pad with zeros.

The checksum takes in the tensors' data in this order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import WeightsError
from scales_cli.weights.packed_file import PackedWeights, Tensors, check_values

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PackedSRResNet(PackedWeights):
    """Fields as in this module's table, checked on construction."""

    FORMAT: ClassVar[str] = "scales-packed"

    spec: NetworkSpec
    head_weight: Floats
    head_bias: Floats
    bits: NDArray[np.uint64]
    threshold: Floats
    scale: Floats
    spatial: Floats
    spatial_bias: Floats
    channel: Floats
    shift_in: Floats
    slope: Floats
    shift_out: Floats
    tail_weight: Floats
    tail_bias: Floats
    card: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises `WeightsError` where a shape, dtype or value is not what the spec asks for."""
        for field, shape in self._shapes().items():
            array = getattr(self, field)
            dtype = np.uint64 if field == "bits" else np.float32
            if array.dtype != dtype or array.shape != shape:
                expected = f"{np.dtype(dtype)}{list(shape)}"
                raise WeightsError(
                    f"tensor {_TENSORS[field]} is {array.dtype}{list(array.shape)}, expected {expected}",
                    "the weights file is damaged or was made for another network",
                )
            check_values(_TENSORS[field], array)
        if (self.scale < 0).any():
            raise WeightsError("tensor body.scale holds negative values", "fold their sign into body.bits")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        feats, outputs, convs = self.spec.n_feats, self.spec.outputs, self.spec.n_convs
        if not self.spec.runs_natively or self.spec.conv != "scales":
            raise WeightsError(
                f"{self.spec.backbone} with {self.spec.conv} layers is unknown here", "update scales-cli"
            )
        kernel = self.channel.shape[-1] if self.channel.ndim == 2 else 0
        if kernel % 2 == 0 or kernel > feats:
            raise WeightsError("tensor body.channel has no odd kernel", "the weights file is damaged")
        per_layer = dict.fromkeys(("threshold", "scale", "spatial", "shift_in", "slope", "shift_out"), (convs, feats))
        return {
            "head_weight": (feats, self.spec.inputs, 3, 3),
            "head_bias": (feats,),
            "bits": (convs, feats, 3, 3, feats // 64),
            **per_layer,
            "spatial_bias": (convs,),
            "channel": (convs, kernel),
            "tail_weight": (outputs, feats, 3, 3),
            "tail_bias": (outputs,),
        }

    @classmethod
    def from_tensors(cls, spec: NetworkSpec, card: Mapping[str, Any], tensors: Tensors) -> Self:
        if set(tensors) != set(_TENSORS.values()):
            differing = ", ".join(sorted(set(tensors) ^ set(_TENSORS.values())))
            raise WeightsError(f"missing or unknown tensors: {differing}", "pull or copy the file again")
        return cls(spec=spec, card=card, **{field: tensors[name] for field, name in _TENSORS.items()})

    def tensors(self) -> Tensors:
        return {name: getattr(self, field) for field, name in _TENSORS.items()}

    def hashed(self) -> Iterator[bytes]:
        return (np.ascontiguousarray(array).tobytes() for array in self.tensors().values())


_TENSORS = {
    "head_weight": "head.weight",
    "head_bias": "head.bias",
    "bits": "body.bits",
    "threshold": "body.threshold",
    "scale": "body.scale",
    "spatial": "body.spatial",
    "spatial_bias": "body.spatial_bias",
    "channel": "body.channel",
    "shift_in": "body.shift_in",
    "slope": "body.slope",
    "shift_out": "body.shift_out",
    "tail_weight": "tail.weight",
    "tail_bias": "tail.bias",
}
