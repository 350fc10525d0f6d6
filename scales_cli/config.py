"""What a network is and how it is trained: frozen, torch-free, stored in checkpoints and packed weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from scales_cli.errors import UsageError

SCALES = (2, 3, 4)
# Kinds of planes: what a network sees of a picture, and how many of these planes it enlarges itself. The chroma of
# "ycc" is cleaned at LR size and enlarged bicubically.
PLANES: Mapping[str, tuple[int, int]] = {"luma": (1, 1), "rgb": (3, 3), "ycc": (3, 1)}
Options = Mapping[str, int | float | str | bool]
TINY_BLOCKS = 4

# What `--size` stands for: fields of NetworkSpec. A block of tiny and base is two binary convolutions; photo is for
# pictures as people have them.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "tiny": {"n_blocks": TINY_BLOCKS},
    "base": {"n_blocks": 16},
    "photo-tiny": {"n_blocks": TINY_BLOCKS, "planes": "ycc", "strength": True},
    "photo": {"n_blocks": 16, "planes": "ycc", "strength": True},
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
    planes: str = "luma"
    strength: bool = False
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
        if self.planes not in PLANES:
            raise UsageError(f"unknown kind of planes {self.planes!r}", f"known are {', '.join(PLANES)}")
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
    def inputs(self) -> int:
        """Planes that the head sees."""
        return PLANES[self.planes][0] + self.strength

    @property
    def colors(self) -> int:
        """Planes that the network enlarges."""
        return PLANES[self.planes][1]

    @property
    def has_chroma(self) -> bool:
        """Whether it gives two planes of chroma at LR size as well."""
        return self.planes == "ycc"

    @property
    def outputs(self) -> int:
        """Channels of the tail: s^2 phases of each enlarged plane, then the chroma."""
        return self.colors * self.scale**2 + 2 * self.has_chroma

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
        if isinstance(values, Mapping) and values.get("colors") in (1, 3):  # of models packed before there were kinds
            values = {**values, "planes": "luma" if values["colors"] == 1 else "rgb"}
            del values["colors"]
        return cls(**_known_fields(cls, values))


Range = tuple[float, float]


@dataclass(frozen=True)
class Degradation:
    """How LR pictures for training come to be like those that people have: blur, reduction, noise, sharpening, coding.

    Probabilities and shares are in [0, 1]; of a pair of numbers, one between them is drawn evenly. Lengths are in LR
    pixels, noise in grey levels of 255. Ranges after BSRGAN, Real-ESRGAN and waifu2x.
    """

    variants: int = 8  # LR pictures of each tile, the first of which is the clean one
    drawn: float = 0.15  # share of pixels that are of drawn text, line art and interfaces
    blur: float = 0.6  # probability
    blur_sigma: Range = (0.1, 1.0)
    anisotropic: float = 0.3  # share of the blurs that differ along two axes
    kernels: Mapping[str, float] = field(
        default_factory=lambda: {"bicubic": 0.4, "lanczos": 0.2, "area": 0.2, "bilinear": 0.1, "nearest": 0.1}
    )
    noise: float = 0.55  # probability
    noise_sigma: Range = (0.0, 12.0)
    strong_noise: float = 0.1  # share of the noises that have another range
    strong_noise_sigma: Range = (12.0, 20.0)
    grey_noise: float = 0.4  # share of the noises that are the same in all colours
    signal_noise: float = 0.5  # share of the noises whose variance grows with the light
    correlated_noise: float = 0.4  # share of the noises that are blurred, as by demosaicing
    noise_blur_sigma: Range = (0.3, 0.7)
    sharpen: float = 0.1  # probability
    sharpen_amount: Range = (0.3, 1.0)
    jpeg: float = 0.75  # probability
    jpeg_quality: Range = (25.0, 95.0)
    subsampled: float = 0.8  # share of the JPEG pictures whose chroma is halved
    jpeg_twice: float = 0.2  # share of the JPEG pictures that were coded before, on another grid or at another size
    first_quality: Range = (40.0, 95.0)
    resized: float = 0.5  # share of those that had another size
    first_size: Range = (0.7, 1.3)
    webp: float = 0.1  # probability, of those that do not become JPEG
    webp_quality: Range = (30.0, 95.0)
    jitter: float = 0.05  # standard deviation of the error in the strength that the network is told

    def __post_init__(self) -> None:
        _check_types(self)
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(item.default, tuple):
                if not (isinstance(value, Sequence) and len(value) == 2 and _are_numbers(value)):
                    raise UsageError(f"{item.name} is {value!r}", "give two numbers, the smaller one first")
                if not 0 <= value[0] <= value[1]:
                    raise UsageError(f"{item.name} is {value!r}", "give two numbers, the smaller one first")
                object.__setattr__(self, item.name, (float(value[0]), float(value[1])))
        if not 1 <= self.variants <= 64 or not 0 <= self.drawn < 1:
            raise UsageError("variants must be 1..64 and drawn in [0, 1)", "see the README of training")
        if not (isinstance(self.kernels, Mapping) and self.kernels and _are_numbers(self.kernels.values())):
            raise UsageError("kernels is not a table of names and shares", "see the README of training")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"kernels": dict(self.kernels)}

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
    distillation_until: float = 1.0  # share of the schedule in which the teacher's picture counts
    chroma_weight: float = 0.3  # of the LR chroma's L1, for networks that give it
    gradient_weight: float = 0.0  # of the L1 between the steps from pixel to pixel
    degradation: Degradation | None = None  # None: LR pictures are bicubic reductions
    seed: int = 0

    def __post_init__(self) -> None:
        _check_types(self)
        if min(self.steps, self.batch_size, self.patch_size) < 1 or self.warmup_steps < 0:
            raise UsageError(
                "steps, batch_size and patch_size must be at least 1, warmup_steps 0", "see the training section"
            )
        weights = (self.distillation, self.distillation_until, self.chroma_weight, self.gradient_weight)
        if min(self.final_learning_rate, self.weight_scale_rate, *weights) < 0:
            raise UsageError("rates and weights cannot be negative", "see the training section of the README")
        if not (self.learning_rate > 0 and self.clip_norm > 0 and 0 <= self.ema_decay < 1):
            raise UsageError(
                "learning_rate and clip_norm must be positive, ema_decay in [0, 1)",
                "see the training section of the README",
            )

    def to_dict(self) -> dict[str, Any]:
        degradation = self.degradation and self.degradation.to_dict()
        return dataclasses.asdict(self) | {"network": self.network.to_dict(), "degradation": degradation}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        known = _known_fields(cls, values)
        if "network" in known:
            known["network"] = NetworkSpec.from_dict(known["network"])
        if known.get("degradation") is not None:
            known["degradation"] = Degradation.from_dict(known["degradation"])
        return cls(**known)


def _check_types(config: Any) -> None:
    """Values from files may be of any type; those of a field with a number or text as default must be such."""
    kinds = {int: "a whole number", float: "a number", str: "a name"}
    for item in dataclasses.fields(config):
        kind, value = type(item.default), getattr(config, item.name)
        accepted = (int, float) if kind is float else (kind,)
        if kind in kinds and (type(value) not in accepted or (accepted == (int, float) and not math.isfinite(value))):
            raise UsageError(f"{item.name} is {value!r}", f"give {kinds[kind]}")


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(type(value) in (int, float) and 0 <= value < math.inf for value in values)


def _known_fields(cls: type, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise UsageError(f"{cls.__name__} must be a table of names and values", "see the README's training section")
    names = {item.name for item in dataclasses.fields(cls)}
    if unknown := sorted(set(values) - names):
        raise UsageError(f"unknown settings: {', '.join(unknown)}", f"known are {', '.join(sorted(names))}")
    return dict(values)
