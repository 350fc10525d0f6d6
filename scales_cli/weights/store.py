"""Where models are found: inside the package, or at a path the user gives."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from scales_cli.errors import WeightsError
from scales_cli.weights.packed import PackedWeights
from scales_cli.weights.registry import find_entry

DEFAULT_MODEL = "tiny"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Model:
    """A packed network and what it is called."""

    name: str
    weights: PackedWeights


def find_model(name: str | os.PathLike[str] | None, scale: int) -> Model:
    """The model of a name (`tiny`, `scales-tiny-x4`) or of a path (`my/model.safetensors`) for `scale`."""
    name = os.fspath(name) if name is not None else DEFAULT_MODEL
    if name.endswith(SUFFIX) or os.sep in name:
        model = Model(Path(name).stem, PackedWeights.load(Path(name)))
    else:
        model = _bundled(name, scale)
    if model.weights.spec.scale != scale:
        raise WeightsError(
            f"model {model.name} enlarges by {model.weights.spec.scale}, not by {scale}",
            f"add -s {model.weights.spec.scale} or choose another model",
        )
    return model


def _bundled(name: str, scale: int) -> Model:
    entry = find_entry(name, scale)
    with resources.as_file(resources.files("scales_cli.weights").joinpath("models", entry.file)) as path:
        try:
            entry.check(path.read_bytes())
        except OSError as error:
            raise WeightsError(
                f"model {entry.name} is missing from the installation", "install scales-cli again"
            ) from error
        return Model(entry.name, PackedWeights.load(path))
