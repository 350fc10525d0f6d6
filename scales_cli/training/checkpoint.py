"""A training run on disk: two safetensors files a checkpoint, `weights-STEP` and `optimizer-STEP`.

`weights` holds the network ("model.") and its moving average ("ema."), with the training configuration and progress as
JSON in the metadata; `optimizer` holds Adam's moments and the state of the random generator. A checkpoint counts once
both exist; older ones are removed only then, so a run killed at any moment can be resumed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor, nn

from scales_cli.engine.torch.packing import unpack
from scales_cli.errors import OutputError, UsageError, WeightsError
from scales_cli.layers.binary_layer import BinaryLayer
from scales_cli.networks.base import Network
from scales_cli.networks.build import build_network
from scales_cli.system.files import whole_file
from scales_cli.training.config import TrainConfig
from scales_cli.weights.packed import load_packed

LATENT = 0.03  # as in a body trained for 50 000 steps: some thirty steps of Adam turn the sign of such a weight


@dataclass(frozen=True)
class RunRecord:
    """What a run records of itself: steps done, seconds spent in them, the latest validation PSNR in dB, and more."""

    step: int = 0
    seconds: float = 0.0
    valid_psnr: float | None = None
    device: str = "cpu"
    commit: str = ""  # of the program, when the run began
    data: str = ""
    teacher: str = ""
    pictures: str = ""  # a fingerprint of those in all of the run's folders
    history: tuple[str, ...] = ()  # the runs this one was started from, oldest first

    def checked(self) -> RunRecord:
        """Itself; raises `ValueError` for records that no run has written."""
        texts = (self.device, self.commit, self.data, self.teacher, self.pictures, *self.history)
        if not (type(self.step) is int and 0 <= self.step < 2**53 and type(self.seconds) in (int, float)):
            raise ValueError(f"it has {self.step!r} steps and {self.seconds!r} seconds")
        if not 0 <= self.seconds < math.inf or not all(isinstance(text, str) for text in texts):
            raise ValueError("its records are none")
        return self


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file holds."""

    config: TrainConfig
    progress: RunRecord
    model: dict[str, Tensor]
    ema: dict[str, Tensor]
    packed: bool = False  # comes from a packed model, which keeps neither latent weights nor layer-wise factors

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """`path` is a run's folder, its weights file or a packed model; raises `WeightsError` if it is none of them."""
        if path.is_dir():
            newest = latest(path)
            if newest is None:
                raise WeightsError(f"{path}: no checkpoint in it", "give a run's folder or a packed model")
            path = newest
        try:
            tensors, metadata = _read(path)
            if "config" not in metadata and "format" in metadata:
                return cls._load_packed(path)
            model = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
            ema = {name.removeprefix("ema."): value for name, value in tensors.items() if name.startswith("ema.")}
            progress = json.loads(metadata["progress"])
            progress["history"] = tuple(progress["history"])
            config = TrainConfig.from_dict(json.loads(metadata["config"]))
            return cls(config, RunRecord(**progress).checked(), model, ema)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, UsageError, RecursionError) as error:
            raise WeightsError(
                f"{path}: not a training checkpoint ({error})",
                "give a run's folder, its weights file or a packed model",
            ) from error

    @classmethod
    def _load_packed(cls, path: Path) -> Checkpoint:
        """What training can go on from: the signs, as latent weights of one magnitude, and everything else."""
        weights = load_packed(path)
        try:
            network = unpack(weights)
        except WeightsError as error:
            raise error.about(path) from error
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, BinaryLayer):
                    module.weight.mul_(LATENT)
        return cls(TrainConfig(network=network.spec), _recorded(weights.card), {}, network.state_dict(), packed=True)

    def network(self) -> Network:
        """The network with the averaged weights."""
        network = build_network(self.config.network)
        try:
            network.load_state_dict(self.ema)
        except RuntimeError as error:
            raise WeightsError(
                "the checkpoint's tensors are not those of its network",
                "give another one, or go on from it with `scales train --init`",
            ) from error
        return network


def latest(folder: Path) -> Path | None:
    """The weights file of the newest complete checkpoint in a run's folder."""
    complete = [path for path in folder.glob("weights-*.safetensors") if _optimizer_path(path).exists()]
    return max(complete, key=lambda path: path.name, default=None)


def save(
    folder: Path,
    config: TrainConfig,
    progress: RunRecord,
    model: nn.Module,
    ema: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> Path:
    """Writes a checkpoint, then removes the older ones; returns its weights file."""
    path = folder / f"weights-{progress.step:08d}.safetensors"
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
    weights |= {f"ema.{name}": value for name, value in ema.state_dict().items()}
    metadata = {"config": json.dumps(config.to_dict()), "progress": json.dumps(asdict(progress))}
    state = {"generator": generator.get_state()}
    for index, moments in optimizer.state_dict()["state"].items():
        state |= {f"{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
    try:
        _write(_optimizer_path(path), state, {})
        _write(path, weights, metadata)
        for newest in (path, _optimizer_path(path)):  # an optimizer alone is what a kill left
            kind = newest.name.split("-")[0]
            for old in folder.glob(f"{kind}-*[0-9].safetensors"):
                if old.name < newest.name:
                    old.unlink()
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{folder}: the checkpoint cannot be written ({error})", "free some space, then --resume"
        ) from error
    return path


def restore_optimizer(path: Path, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> None:
    """Loads the moments and random state that belong to the weights file `path`."""
    try:
        tensors, _ = _read(_optimizer_path(path))
        generator.set_state(tensors.pop("generator"))
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            number, name = key.split(".", 1)
            parameter = parameters[int(number)]
            # The fused optimizer walks parameters and moments in memory order, so their strides must agree.
            value = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
            state.setdefault(int(number), {})[name] = value.detach()
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    except (OSError, SafetensorError, KeyError, IndexError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{_optimizer_path(path)}: cannot be resumed from ({error})", "start anew with --init"
        ) from error


def _recorded(card: Mapping[str, Any]) -> RunRecord:
    """The records that a model card has of its run; none where they cannot be true, as anyone may write a card."""
    earlier = card.get("started_from", ())
    try:
        return RunRecord(card.get("steps", 0), card.get("seconds", 0), history=tuple(earlier)).checked()
    except (TypeError, ValueError):
        return RunRecord()


def _optimizer_path(path: Path) -> Path:
    return path.with_name(path.name.replace("weights-", "optimizer-", 1))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    values = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with whole_file(path, overwrite=True) as stream:
        stream.write(serialised(values, metadata))
