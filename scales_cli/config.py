"""What a network is and how it is trained: frozen, torch-free, stored in checkpoints and packed weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from scales_cli.errors import UsageError

SCALES = (2, 3, 4)
Options = Mapping[str, int | float | str | bool]
TINY_BLOCKS = 4

# What `--size` stands for: fields of NetworkSpec. A block of tiny and base is two binary convolutions.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "tiny": {"n_blocks": TINY_BLOCKS},
    "base": {"n_blocks": 16},
    "edsr": {"n_feats": 256, "n_blocks": 32},
    "rdn": {"backbone": "rdn", "n_blocks": 8},
    "rcan": {"backbone": "rcan", "n_blocks": 10},
    "rcan-mini": {"backbone": "rcan", "n_blocks": 3, "backbone_options": {"n_layers": 2}},
    "swinir-mini": {
        "backbone": "swinir",
        "n_feats": 32,
        "n_blocks": 2,
        "backbone_options": {"n_layers": 2, "n_heads": 2},
    },
    "swinir": {"backbone": "swinir", "n_feats": 60, "n_blocks": 4},
    "hat": {"backbone": "hat", "n_feats": 144, "n_blocks": 6},
}


_OPTIONS = ("conv_options", "linear_options", "backbone_options")


# Inner sizes of each backbone, as published; `NetworkSpec.backbone_options` gives others.
BACKBONES: Mapping[str, Options] = {
    "srresnet": {},
    "rdn": {"n_layers": 8, "growth": 64},
    "rcan": {"n_layers": 5, "reduction": 16},
    "swinir": {"n_layers": 6, "n_heads": 6, "window": 8, "mlp_ratio": 2},
    "hat": {
        "n_layers": 6,
        "n_heads": 6,
        "window": 16,
        "mlp_ratio": 2,
        "compress": 24,
        "squeeze": 24,
        "overlap": 0.5,
    },
}
MAX_LAYERS = 1024  # of all blocks together
MAX_SIZES = {"window": 32, "overlap": 1.0, "mlp_ratio": 16}  # of inner sizes; others go up to 256


@dataclass(frozen=True)
class NetworkSpec:
    """A network's dimensions.

    `n_blocks` counts the backbone's blocks or groups, whose inner sizes are `backbone_options`. `conv` names the family
    of the body's layers (`layers.families`), `conv_options` and `linear_options` are arguments of its two classes.
    """

    scale: int = 4
    backbone: str = "srresnet"
    colors: int = 1
    n_feats: int = 64
    n_blocks: int = TINY_BLOCKS
    conv: str = "scales"
    conv_options: Options = field(default_factory=dict)
    linear_options: Options = field(default_factory=dict)
    backbone_options: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_types(self)
        for name in _OPTIONS:
            if not isinstance(getattr(self, name), Mapping):
                raise UsageError(f"{name} is not a table", "give names and values")
        if self.scale not in SCALES:
            raise UsageError(f"scale {self.scale} is not supported", "use 2, 3 or 4")
        if self.colors not in (1, 3):
            raise UsageError(f"{self.colors} colours are not supported", "use 1 (luma) or 3 (RGB)")
        if not (8 <= self.n_feats <= 1024 and 1 <= self.n_blocks <= 256):
            raise UsageError("n_feats must be 8..1024 and n_blocks 1..256", "see the README's training section")
        if self.backbone == "srresnet" and self.n_feats % 64:
            raise UsageError(f"{self.n_feats} channels do not fill 64-bit words", "use a multiple of 64")

        self._check_dimensions()

    def _check_dimensions(self) -> None:
        if self.backbone not in BACKBONES:
            raise UsageError(f"unknown backbone {self.backbone!r}", f"known are {', '.join(BACKBONES)}")
        known = BACKBONES[self.backbone]
        for name, value in self.backbone_options.items():
            if name not in known:
                raise UsageError(
                    f"unknown option {name!r} of {self.backbone}", f"known are {', '.join(known) or 'none'}"
                )
            least, most = 0 if name == "overlap" else 1, MAX_SIZES.get(name, 256)
            if type(value) is not type(known[name]) or not least <= float(value) <= most:
                raise UsageError(f"{name} of {self.backbone} is {value!r}", f"give a number like {known[name]!r}")
        if self.n_blocks * int(self.dimensions.get("n_layers", 1)) > MAX_LAYERS:
            raise UsageError(f"more than {MAX_LAYERS} layers", "give fewer blocks or n_layers")

    @property
    def dimensions(self) -> dict[str, Any]:
        """All of the backbone's inner sizes."""
        return {**BACKBONES[self.backbone], **self.backbone_options}

    @property
    def is_transformer(self) -> bool:
        return "window" in self.dimensions

    @property
    def n_convs(self) -> int:
        """Binary convolutions in the body of an srresnet."""
        return 2 * self.n_blocks

    def full_precision(self) -> Self:
        """The twin of the same sizes without binary layers."""
        return dataclasses.replace(self, conv="float", conv_options={}, linear_options={})

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {name: dict(getattr(self, name)) for name in _OPTIONS}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        return cls(**_known_fields(cls, values))


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Lengths of crops are in LR pixels; `steps` is the length of the schedule."""

    network: NetworkSpec = field(default_factory=NetworkSpec)
    steps: int = 20_000
    batch_size: int = 16
    patch_size: int = 32
    learning_rate: float = 2e-3
    final_learning_rate: float = 0.0
    weight_scale_rate: float = 1.0  # learning rate of the learned weight scales, relative
    warmup_steps: int = 200
    ema_decay: float = 0.999
    clip_norm: float = 1.0
    distillation: float = 0.5  # weight of the teacher's picture in the loss, used with a teacher only
    seed: int = 0

    def __post_init__(self) -> None:
        _check_types(self)
        if min(self.steps, self.batch_size, self.patch_size) < 1 or self.warmup_steps < 0:
            raise UsageError(
                "steps, batch_size and patch_size must be at least 1, warmup_steps 0", "see the training section"
            )
        if min(self.final_learning_rate, self.weight_scale_rate, self.distillation) < 0:
            raise UsageError("rates and distillation cannot be negative", "see the training section of the README")
        if not (self.learning_rate > 0 and self.clip_norm > 0 and 0 <= self.ema_decay < 1):
            raise UsageError(
                "learning_rate and clip_norm must be positive, ema_decay in [0, 1)",
                "see the training section of the README",
            )

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"network": self.network.to_dict()}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        known = _known_fields(cls, values)
        if "network" in known:
            known["network"] = NetworkSpec.from_dict(known["network"])
        return cls(**known)


def _check_types(config: Any) -> None:
    """Values from files may be of any type; those of a field with a number or text as default must be such."""
    kinds = {int: "a whole number", float: "a number", str: "a name"}
    for item in dataclasses.fields(config):
        kind, value = type(item.default), getattr(config, item.name)
        accepted = (int, float) if kind is float else (kind,)
        if kind in kinds and (type(value) not in accepted or (accepted == (int, float) and not math.isfinite(value))):
            raise UsageError(f"{item.name} is {value!r}", f"give {kinds[kind]}")


def _known_fields(cls: type, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise UsageError(f"{cls.__name__} must be a table of names and values", "see the README's training section")
    names = {item.name for item in dataclasses.fields(cls)}
    if unknown := sorted(set(values) - names):
        raise UsageError(f"unknown settings: {', '.join(unknown)}", f"known are {', '.join(sorted(names))}")
    return dict(values)
