"""The packed 1-bit weights file.

A packed file is a safetensors file (little endian, no code inside). Its metadata holds five strings:

    format   "scales-packed"
    version  "1"
    spec     JSON of `NetworkSpec`
    card     JSON object, the model card written by the exporter (data, steps, seconds, device, PSNR)
    sha256   hexadecimal hash of spec, a zero byte, card, a zero byte and the tensors' data in the order below

and its tensors, with L binary convolutions of F channels, W = F / 64 words a pixel, C colours and scale s, are

    name             dtype  shape            meaning
    head.weight      F32    [F, C, 3, 3]     full-precision first convolution, applied to 4 x - 2
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
    tail.weight      F32    [C s s, F, 3, 3] full-precision last convolution; pixel shuffle follows
    tail.bias        F32    [C s s]

With u = popcount arithmetic of the +-1 convolution (zero padding), layer l computes, on its input x [F, H, W],

    b = x >= threshold                                   one bit a channel
    z = scale * bconv3x3(b, bits) * sigmoid(<spatial, x> + spatial_bias) * sigmoid(conv1d(mean_hw(x), channel))
    z = z - shift_in;  y = x + (z if z >= 0 else slope * z) + shift_out

and the network, for planes p in [0, 1], r = pixel_shuffle(tail(body(h) + h)), h = head(4 p - 2): the residual over the
bicubically upscaled planes. All convolutions pad with zeros.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from scales_cli.config import NetworkSpec
from scales_cli.errors import UsageError, WeightsError
from scales_cli.imaging.files import replacing

FORMAT = "scales-packed"
VERSION = "1"
MAX_FILE_BYTES = 64 * 2**20
MAX_CARD_BYTES = 2**16
MAX_VALUE = 1e6

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PackedWeights:
    """A 1-bit network folded for inference; fields as in this module's table, checked on construction."""

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
            # Not even NaN passes; far larger values than any trained network holds would overflow in its sums.
            if dtype == np.float32 and not (np.abs(array) <= MAX_VALUE).all():
                raise WeightsError(f"tensor {_TENSORS[field]} holds values that no network has", "export it again")
        if (self.scale < 0).any():
            raise WeightsError("tensor body.scale holds negative values", "fold their sign into body.bits")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        feats, colors, convs = self.spec.n_feats, self.spec.colors, self.spec.n_convs
        if (self.spec.backbone, self.spec.conv) != ("srresnet", "scales"):
            raise WeightsError(
                f"{self.spec.backbone} with {self.spec.conv} layers is unknown here", "update scales-cli"
            )
        kernel = self.channel.shape[-1] if self.channel.ndim == 2 else 0
        if kernel % 2 == 0 or kernel > feats:
            raise WeightsError("tensor body.channel has no odd kernel", "the weights file is damaged")
        per_layer = dict.fromkeys(("threshold", "scale", "spatial", "shift_in", "slope", "shift_out"), (convs, feats))
        return {
            "head_weight": (feats, colors, 3, 3),
            "head_bias": (feats,),
            "bits": (convs, feats, 3, 3, feats // 64),
            **per_layer,
            "spatial_bias": (convs,),
            "channel": (convs, kernel),
            "tail_weight": (colors * self.spec.scale**2, feats, 3, 3),
            "tail_bias": (colors * self.spec.scale**2,),
        }

    def digest(self) -> str:
        """SHA-256 over all that decides a result: the spec and the tensors, not the card."""
        return self._checksum(json.dumps(self.spec.to_dict(), sort_keys=True), "")

    def _checksum(self, spec: str, card: str) -> str:
        checksum = hashlib.sha256(f"{spec}\0{card}\0".encode())
        for field in _TENSORS:
            checksum.update(np.ascontiguousarray(getattr(self, field)).tobytes())
        return checksum.hexdigest()

    def psnr(self) -> dict[str, float]:
        """What the card says of benchmarks, in dB; a card may say anything."""
        scores = self.card.get("psnr")
        found = {str(name): _psnr(score) for name, score in scores.items()} if isinstance(scores, dict) else {}
        return {name: psnr for name, psnr in found.items() if psnr is not None}

    def save(self, path: Path) -> None:
        metadata = {
            "format": FORMAT,
            "version": VERSION,
            "spec": json.dumps(self.spec.to_dict()),
            "card": json.dumps(dict(self.card)),
        }
        metadata["sha256"] = self._checksum(metadata["spec"], metadata["card"])
        tensors = {name: np.ascontiguousarray(getattr(self, field)) for field, name in _TENSORS.items()}
        # Serialised first, because safetensors' own file writing leaves files that only their owner can read.
        with replacing(path, overwrite=True) as stream:
            stream.write(safetensors.numpy.save(tensors, metadata))

    @classmethod
    def load(cls, path: Path) -> PackedWeights:
        """Reads and validates a packed file; every defect is a `WeightsError`."""
        hint = "pull or copy the file again"
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
                raise WeightsError(f"{path}: is not a file", "give a packed .safetensors file to -m")
            if status.st_size > MAX_FILE_BYTES:
                raise WeightsError(f"{path}: too large for a packed model", "is this a packed file?")
            with safetensors.safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise WeightsError(f"{path}: not a packed scales model", "export it with `scales train`")
                if metadata.get("version") != VERSION:
                    raise WeightsError(
                        f"{path}: packed format version {metadata.get('version')!r} is not supported",
                        "update scales-cli",
                    )
                names = set(file.keys())
                if names != set(_TENSORS.values()):
                    differing = ", ".join(sorted(names ^ set(_TENSORS.values())))
                    raise WeightsError(f"{path}: missing or unknown tensors: {differing}", hint)
                arrays = {field: file.get_tensor(name) for field, name in _TENSORS.items()}
            spec = NetworkSpec.from_dict(json.loads(metadata.get("spec", "null")))
            text = metadata.get("card", "{}")
            card = json.loads(text) if len(text) <= MAX_CARD_BYTES else None
            if not isinstance(card, dict):
                raise WeightsError(f"{path}: the model card is too long or not an object", hint)
            weights = cls(spec=spec, card=card, **arrays)
            if metadata.get("sha256") != weights._checksum(metadata["spec"], text):
                raise WeightsError(f"{path}: damaged: its content is not what its checksum says", hint)
            return weights
        except FileNotFoundError as error:
            raise WeightsError(f"{path}: no such weights file", "check the path given to -m") from error
        except (OSError, ValueError, TypeError, RecursionError, UsageError, safetensors.SafetensorError) as error:
            raise WeightsError(f"{path}: unreadable weights file ({error})", hint) from error


def _psnr(score: Any) -> float | None:
    psnr = score.get("psnr") if isinstance(score, dict) else None
    return float(psnr) if isinstance(psnr, int | float) and math.isfinite(psnr) else None


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
