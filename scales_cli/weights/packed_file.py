"""What all packed 1-bit weights files are.

A packed file is a safetensors file (little endian, no code inside). Its metadata holds five strings:

    format   which of the formats below
    version  "1"
    spec     JSON of `NetworkSpec`
    card     JSON object, the model card written by the exporter (data, steps, seconds, device, PSNR)
    sha256   hexadecimal hash of spec, a zero byte, card, a zero byte and what the format adds of its tensors

Formats are "scales-packed" (`packed_srresnet`) and "scales-packed-layers" (`packed_layers`).
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import WeightsError
from scales_cli.system.files import replacing

VERSION = "1"
MAX_FILE_BYTES = 64 * 2**20
MAX_CARD_BYTES = 2**16
MAX_VALUE = 1e6

Tensors = Mapping[str, NDArray[Any]]


class PackedWeights(ABC):
    """A 1-bit network folded for inference, with its model card."""

    FORMAT: ClassVar[str]
    spec: NetworkSpec
    card: Mapping[str, Any]

    @classmethod
    @abstractmethod
    def from_tensors(cls, spec: NetworkSpec, card: Mapping[str, Any], tensors: Tensors) -> Self:
        """Raises `WeightsError` where the tensors are not those of the spec."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """By their names in the file."""

    @abstractmethod
    def hashed(self) -> Iterator[bytes]:
        """What the checksum takes in of the tensors."""

    def checksum(self, spec: str, card: str) -> str:
        checksum = hashlib.sha256(f"{spec}\0{card}\0".encode())
        for part in self.hashed():
            checksum.update(part)
        return checksum.hexdigest()

    def digest(self) -> str:
        """SHA-256 over all that decides a result: the spec and the tensors, not the card."""
        return self.checksum(json.dumps(self.spec.to_dict(), sort_keys=True), "")

    def psnr(self) -> dict[str, float]:
        """What the card says of benchmarks, in dB; a card may say anything."""
        scores = self.card.get("psnr")
        found = {str(name): _psnr(score) for name, score in scores.items()} if isinstance(scores, dict) else {}
        return {name: psnr for name, psnr in found.items() if psnr is not None}

    def save(self, path: Path) -> None:
        metadata = {
            "format": self.FORMAT,
            "version": VERSION,
            "spec": json.dumps(self.spec.to_dict()),
            "card": json.dumps(dict(self.card)),
        }
        metadata["sha256"] = self.checksum(metadata["spec"], metadata["card"])
        tensors = {name: np.ascontiguousarray(value) for name, value in self.tensors().items()}
        # Serialised first, because safetensors' own file writing leaves files that only their owner can read.
        with replacing(path, overwrite=True) as stream:
            stream.write(safetensors.numpy.save(tensors, metadata))


def check_values(name: str, array: NDArray[Any]) -> None:
    """Raises `WeightsError` for numbers that no network has: not even NaN, and none that would overflow in its sums."""
    if array.dtype == np.float32 and not (np.abs(array) <= MAX_VALUE).all():
        raise WeightsError(f"tensor {name} holds values that no network has", "export it again")


def as_words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Booleans [..., channels] as words [..., ceil(channels / 64)]: bit i of word j is channel 64 j + i."""
    missing = -bits.shape[-1] % 64
    bits = np.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, missing)])
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


def as_signs(words: NDArray[np.uint64], channels: int) -> NDArray[np.float32]:
    """The +-1 numbers [..., channels] of `as_words`."""
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    return bits[..., :channels].astype(np.float32) * 2 - 1


def _psnr(score: Any) -> float | None:
    psnr = score.get("psnr") if isinstance(score, dict) else None
    return float(psnr) if isinstance(psnr, int | float) and math.isfinite(psnr) else None
