"""The packed file of a 1-bit network: what every backbone is folded into for inference.

It is a safetensors file (little endian, no code inside). Its metadata holds five strings:

    format   "scales-packed"
    version  "3"
    spec     JSON of `NetworkSpec`
    card     JSON object, the model card written by the exporter (data, steps, seconds, device, PSNR)
    sha256   hexadecimal hash of spec, a zero byte, card, a zero byte, and of each tensor, in the order of their names,
             its name, a zero byte and its data

Tensors have the names of the torch network's. With F channels, I input planes and O outputs (s s phases of each
enlarged plane, then 2 of chroma if the planes are "ycc"), full precision are

    name             dtype  shape            meaning
    head.weight      F32    [F, I, 3, 3]     first convolution, applied to 4 x - 2
    head.bias        F32    [F]
    tail.weight      F32    [O, F, 3, 3]     last convolution; HAT's tail has several
    tail.bias        F32    [O]

and whatever else a backbone has between its binary layers. Networks that the native engine runs alone have a tail in
whole numbers of 8 bits:

    tail.weight      I8     [O, F, 3, 3]     -64 to 64
    tail.gain        F32    [F]              > 0: 127 / the largest input that is kept
    tail.scale       F32    [O]              >= 0: what a sum of 1 stands for
    tail.bias        F32    [O]

A binary layer N of Ci inputs and Co outputs, W = ceil(Ci / 64) words a pixel, is

    N.bits           U64    [Co, k, k, W]    bit i of word j: sign of input 64 j + i; set is +1, clear is -1.
                                             [Co, W] in a linear layer
    N.threshold      F32    [Ci]             beta: activation bit is set if x >= beta
    N.scale          F32    [Co]             alpha * weight scale * gate factors, >= 0: the bits hold its sign
    N.spatial        F32    [Ci]             1x1 convolution of the spatial re-scaling
    N.spatial_bias   F32    []
    N.channel.weight F32    [K]              conv1d over the channels of the channel-wise re-scaling, K odd; only in
                                             convolutions that have one
    N.shift_in       F32    [Co]             of a convolution, RPReLU: z - shift_in,
    N.slope          F32    [Co]             times slope if negative (slopes may be negative),
    N.shift_out      F32    [Co]             + shift_out
    N.bias           F32    [Co]             of a linear layer, in the place of an RPReLU

With u = popcount arithmetic of the +-1 convolution (zero padding), a convolution computes, on its input x [Ci, H, W],

    b = x >= threshold                                   one bit a channel
    z = scale * bconv(b, bits) * sigmoid(<spatial, x> + spatial_bias) * sigmoid(conv1d(mean_hw(x), channel.weight))
    z = z - shift_in;  y = (x +) (z if z >= 0 else slope * z) + shift_out

the last sigmoid and `x +` if it has them. A linear layer computes, on tokens, y = (x +) z + bias.

The network computes, for planes p in [0, 1], t = tail(body(h) + h), h = head(4 p - 2), whose first channels,
pixel-shuffled, are the residual over the bicubically upscaled planes; two more are the residual over the LR chroma. The
planes are luma, R G B or Y Cb Cr, then the strength if the spec has one. All convolutions pad with zeros. A tail of 8
bits is, on x, with halves rounded to the even number and sums of whole numbers,

    q = clamp(round(x * gain), -127, 127);  t = scale * conv(q, weight) + bias
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from scales_cli.backbones.spec import LARGEST_TAIL_WEIGHT, NetworkSpec
from scales_cli.errors import UsageError, WeightsError
from scales_cli.system.files import replacing

FORMAT = "scales-packed"
VERSION = "3"
GATE = "channel.weight"  # the part of a layer that only some have
MAX_FILE_BYTES = 64 * 2**20
MAX_CARD_BYTES = 2**16
MAX_CARD_LEVELS = 32  # of lists and objects in one another
MAX_VALUE = 1e6
_LONGEST_MESSAGE = 500  # characters

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class PackedWeights:
    """A 1-bit network folded for inference, with its model card.

    Checked on construction: types, values, the shapes of each binary layer, and of networks that the native engine runs
    alone all names and shapes. What other backbones have beside their binary layers, torch checks when it opens them.
    """

    spec: NetworkSpec
    tensors: Tensors
    card: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises `WeightsError` for tensors that are not those of the spec."""
        if self.spec.layers != "scales":
            raise WeightsError(f"{self.spec.layers} layers have no packed form", "update scales-cli")
        for name, array in self.tensors.items():
            _check_values(name, array, self._dtype(name))
        for name in self.layers:
            self._check_layer(name)
        if self.spec.runs_natively:
            self._check_stack()

    @cached_property
    def layers(self) -> Mapping[str, Tensors]:
        """The parts `bits`, `threshold`, ... of each binary layer N by its name."""
        layers: dict[str, dict[str, NDArray[Any]]] = {
            name.removesuffix(".bits"): {} for name in self.tensors if name.endswith(".bits")
        }
        for name, array in self.tensors.items():
            layer, part = _split(name)
            if layer in layers:
                layers[layer][part] = array
        return layers

    def _dtype(self, name: str) -> type[np.generic]:
        """What a tensor has to be of."""
        if name.endswith(".bits"):
            return np.uint64
        return np.int8 if self.spec.has_int8_tail and name == "tail.weight" else np.float32

    def _check_layer(self, name: str) -> None:
        parts = self.layers[name]
        bits, linear = parts["bits"], parts["bits"].ndim == 2
        inputs = parts["threshold"].size if "threshold" in parts else 0
        outputs, kernel = bits.shape[0] if bits.ndim else 0, () if linear else bits.shape[1:2] * 2
        shapes: dict[str, tuple[int, ...]] = {
            "bits": (outputs, *kernel, -(-inputs // 64)),
            "threshold": (inputs,),
            "scale": (outputs,),
            "spatial": (inputs,),
            "spatial_bias": (),
            **dict.fromkeys(("bias",) if linear else ("shift_in", "slope", "shift_out"), (outputs,)),
        }
        if GATE in parts and not linear:
            taps = parts[GATE].size
            shapes[GATE] = (taps,)
            if taps % 2 == 0 or taps > inputs:
                raise WeightsError(f"tensor {name}.{GATE} has no odd kernel", "the weights file is damaged")
        _check_shapes(parts, shapes, f"{name}.")

    def _check_stack(self) -> None:
        """Raises `WeightsError` unless there is what the native engine takes, and nothing else."""
        spec, feats = self.spec, self.spec.n_feats
        shapes: dict[str, tuple[int, ...]] = {
            "head.weight": (feats, spec.inputs, 3, 3),
            "head.bias": (feats,),
            "tail.weight": (spec.outputs, feats, 3, 3),
            "tail.gain": (feats,),
            **{f"tail.{part}": (spec.outputs,) for part in ("scale", "bias")},
        }
        for layer in spec.native_stack:
            shapes |= {f"{layer}.bits": (feats, 3, 3, feats // 64), f"{layer}.threshold": (feats,)}
        layers = frozenset(spec.native_stack)
        others = {name for name in self.tensors if name not in shapes and _split(name)[0] in layers}
        _check_shapes({name: array for name, array in self.tensors.items() if name not in others}, shapes)

    def digest(self) -> str:
        """SHA-256 over all that decides a result: the spec and the tensors, not the card."""
        return self.checksum(json.dumps(self.spec.to_dict(), sort_keys=True), "")

    def checksum(self, spec: str, card: str) -> str:
        """The hash in the metadata, of these texts of spec and card and of the tensors."""
        checksum = hashlib.sha256(f"{spec}\0{card}\0".encode())
        for name in sorted(self.tensors):
            checksum.update(f"{name}\0".encode())
            checksum.update(np.ascontiguousarray(self.tensors[name]).tobytes())
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
        metadata["sha256"] = self.checksum(metadata["spec"], metadata["card"])
        tensors = {name: np.asarray(value, order="C") for name, value in self.tensors.items()}
        # Serialised first, because safetensors' own file writing leaves files that only their owner can read.
        with replacing(path, overwrite=True) as stream:
            stream.write(safetensors.numpy.save(tensors, metadata))


def load_packed(path: Path) -> PackedWeights:
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
            _check_version(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        spec = NetworkSpec.from_dict(json.loads(metadata.get("spec", "null")))
        text = metadata.get("card", "{}")
        card = None
        if len(text) <= MAX_CARD_BYTES:  # what is no number is none
            card = json.loads(text, parse_constant=lambda name: None, parse_float=_finite, parse_int=_whole)
        if not isinstance(card, dict) or _nests_below(card, MAX_CARD_LEVELS):
            raise WeightsError(f"{path}: the model card is too long, too deep or not an object", hint)
        weights = PackedWeights(spec, tensors, card)
        if metadata.get("sha256") != weights.checksum(metadata["spec"], text):
            raise WeightsError(f"{path}: damaged: its content is not what its checksum says", hint)
        return weights
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such weights file", "check its path") from error
    except WeightsError as error:
        raise WeightsError(f"{path}: {_shortened(error.message.removeprefix(f'{path}: '))}", error.hint) from error
    except (OSError, ValueError, TypeError, RecursionError, UsageError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path}: unreadable weights file ({_shortened(str(error))})", hint) from error


def _shortened(message: str) -> str:
    """A message that may hold names from a file, which can be as long as that."""
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."


def _finite(text: str) -> float | None:
    return value if math.isfinite(value := float(text)) else None


def _whole(text: str) -> int | None:
    """None for one that is too large to compute with: floats have no place for it."""
    return value if abs(value := int(text)) < 2**63 else None


def _nests_below(value: Any, levels: int) -> bool:
    """Whether a value of JSON has more lists and objects in one another."""
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_nests_below(part, levels - 1) for part in parts)


def as_words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Booleans [..., channels] as words [..., ceil(channels / 64)]: bit i of word j is channel 64 j + i."""
    missing = -bits.shape[-1] % 64
    bits = np.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, missing)])
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


def as_signs(words: NDArray[np.uint64], channels: int) -> NDArray[np.float32]:
    """The +-1 numbers [..., channels] of `as_words`."""
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    return bits[..., :channels].astype(np.float32) * 2 - 1


def unrounded(weights: PackedWeights, name: str) -> NDArray[np.float32]:
    """The weights of the 8-bit convolution `name` for inputs as they are."""
    weight, gain, scale = (weights.tensors[f"{name}.{part}"] for part in ("weight", "gain", "scale"))
    return weight.astype(np.float32) * gain.reshape(1, -1, 1, 1) * scale.reshape(-1, 1, 1, 1)


def _split(name: str) -> tuple[str, str]:
    """The layer that a tensor belongs to, if to any, and which part of it this is."""
    if name.endswith(f".{GATE}"):
        return name.removesuffix(f".{GATE}"), GATE
    layer, _, part = name.rpartition(".")
    return layer, part


def _check_version(path: Path, metadata: Mapping[str, str]) -> None:
    kind, version = metadata.get("format", ""), metadata.get("version")
    if version in ("1", "2") and kind in (FORMAT, f"{FORMAT}-layers"):
        raise WeightsError(
            f"{path}: packed format version {version!r} is no longer read",
            "pull the model again with `scales models pull`, or go on from its run with `scales train --init`",
        )
    if kind != FORMAT:
        raise WeightsError(f"{path}: not a packed scales model", "`scales export` makes one of a training run")
    if version != VERSION:
        raise WeightsError(f"{path}: packed format version {version!r} is not supported", "update scales-cli")


def _check_values(name: str, array: NDArray[Any], dtype: type[np.generic]) -> None:
    """Raises `WeightsError` for types and numbers that no network has: none that would overflow in its sums."""
    if array.dtype != dtype:
        raise WeightsError(f"tensor {name} is {array.dtype}", "the weights file is damaged")
    most = LARGEST_TAIL_WEIGHT if dtype == np.int8 else MAX_VALUE
    if dtype != np.uint64 and not ((array >= -most) & (array <= most)).all():
        raise WeightsError(f"tensor {name} holds values that no network has", "export it again")
    if name.endswith(".scale") and (array < 0).any():
        raise WeightsError(f"tensor {name} holds negative values", "fold their sign into the weights")
    if name == "tail.gain" and not (array > 0).all():
        raise WeightsError(f"tensor {name} holds values that are not above 0", "export it again")


def _check_shapes(tensors: Tensors, shapes: Mapping[str, tuple[int, ...]], prefix: str = "") -> None:
    """Raises `WeightsError` if these are not all tensors or have other shapes."""
    if differing := tensors.keys() ^ shapes.keys():
        names = ", ".join(f"{prefix}{name}" for name in sorted(differing))
        raise WeightsError(f"missing or unknown tensors: {names}", "pull or copy the file again")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise WeightsError(
                f"tensor {prefix}{name} is {list(tensors[name].shape)}, expected {list(shape)}",
                "the weights file is damaged or was made for another network",
            )


def _psnr(score: Any) -> float | None:
    psnr = score.get("psnr") if isinstance(score, dict) else None
    return float(psnr) if isinstance(psnr, int | float) and math.isfinite(psnr) else None
