"""Opens packed 1-bit weights of any format."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import safetensors

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError, WeightsError
from scales_cli.weights.packed_file import MAX_CARD_BYTES, MAX_FILE_BYTES, VERSION, PackedWeights
from scales_cli.weights.packed_layers import PackedLayers
from scales_cli.weights.packed_srresnet import PackedSRResNet

FORMATS: dict[str, type[PackedWeights]] = {kind.FORMAT: kind for kind in (PackedSRResNet, PackedLayers)}


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
            kind = FORMATS.get(metadata.get("format", ""))
            if kind is None:
                raise WeightsError(f"{path}: not a packed scales model", "export it with `scales train`")
            if metadata.get("version") != VERSION:
                raise WeightsError(
                    f"{path}: packed format version {metadata.get('version')!r} is not supported", "update scales-cli"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        spec = NetworkSpec.from_dict(json.loads(metadata.get("spec", "null")))
        text = metadata.get("card", "{}")
        card = json.loads(text) if len(text) <= MAX_CARD_BYTES else None
        if not isinstance(card, dict):
            raise WeightsError(f"{path}: the model card is too long or not an object", hint)
        weights = kind.from_tensors(spec, card, tensors)
        if metadata.get("sha256") != weights.checksum(metadata["spec"], text):
            raise WeightsError(f"{path}: damaged: its content is not what its checksum says", hint)
        return weights
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such weights file", "check its path") from error
    except (OSError, ValueError, TypeError, RecursionError, UsageError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path}: unreadable weights file ({error})", hint) from error
