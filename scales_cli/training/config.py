"""How a network is trained: frozen, torch-free, stored in checkpoints."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from scales_cli.backbones.fields import check_types, known_fields
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError

Range = tuple[float, float]


KERNELS = ("bicubic", "lanczos", "area", "bilinear", "nearest")  # ways to reduce a picture


@dataclass(frozen=True)
class Degradation:
    """How LR pictures for training come to be like those that people have: blur, reduction, noise, sharpening, coding.

    Probabilities and shares are in [0, 1]; of a pair of numbers, one between them is drawn evenly. Lengths are in LR
    pixels, noise in grey levels of 255. Ranges after BSRGAN, Real-ESRGAN and waifu2x.
    """

    variants: int = 8  # LR pictures of each tile, the first of which is the clean one
    drawn: float = 0.15  # share of pixels that are of drawn text, line art and interfaces
    blur: float = 0.35  # probability
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
        check_types(self)
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(item.default, tuple):
                is_pair = isinstance(value, Sequence) and len(value) == 2 and _are_numbers(value)
                if not (is_pair and value[0] <= value[1]):
                    raise UsageError(f"{item.name} is {value!r}", "give two numbers, the smaller one first")
                if item.name.endswith("quality") and value[1] > 100:
                    raise UsageError(f"{item.name} is {value!r}", "give numbers from 0 to 100")
                object.__setattr__(self, item.name, (float(value[0]), float(value[1])))
        if not 1 <= self.variants <= 64 or not 0 <= self.drawn < 1:
            raise UsageError("variants must be 1..64 and drawn in [0, 1)", "see scales_cli/training/README.md")
        shares = self.kernels.values() if isinstance(self.kernels, Mapping) else ()
        if not (_are_numbers(shares) and any(shares)):
            raise UsageError("kernels is not a table of names and shares", "see scales_cli/training/README.md")
        if unknown := sorted(set(self.kernels) - set(KERNELS)):
            raise UsageError(f"unknown kernel {unknown[0]!r}", f"known are {', '.join(KERNELS)}")
        names = [item.name for item in dataclasses.fields(self) if type(item.default) is float]
        if wrong := [name for name in names if not 0 <= getattr(self, name) <= 1]:
            raise UsageError(f"{wrong[0]} is {getattr(self, wrong[0])!r}", "give a number from 0 to 1")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"kernels": dict(self.kernels)}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        return cls(**known_fields(cls, values))


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
    sign_sharpness: float = 1.0  # at the end: how many times as narrow and steep as at the start sign's gradient is
    gradient_weight: float = 0.0  # of the L1 between the steps from pixel to pixel
    degradation: Degradation | None = None  # None: LR pictures are bicubic reductions
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if min(self.steps, self.batch_size) < 1 or self.patch_size < 2 or self.warmup_steps < 0:
            raise UsageError(
                "steps and batch_size must be at least 1, patch_size 2, warmup_steps 0",
                "see scales_cli/training/README.md",
            )
        weights = (self.distillation, self.distillation_until, self.chroma_weight, self.gradient_weight)
        if min(self.final_learning_rate, self.weight_scale_rate, *weights) < 0:
            raise UsageError("rates and weights cannot be negative", "see scales_cli/training/README.md")
        if not -(2**63) <= self.seed < 2**64:
            raise UsageError(f"seed is {self.seed}", "give a number of at most 64 bits")
        if not 1 <= self.sign_sharpness < math.inf:
            raise UsageError("sign_sharpness must be at least 1", "see scales_cli/training/README.md")
        if not (self.learning_rate > 0 and self.clip_norm > 0 and 0 <= self.ema_decay < 1):
            raise UsageError(
                "learning_rate and clip_norm must be positive, ema_decay in [0, 1)",
                "see scales_cli/training/README.md",
            )

    def to_dict(self) -> dict[str, Any]:
        degradation = self.degradation and self.degradation.to_dict()
        return dataclasses.asdict(self) | {"network": self.network.to_dict(), "degradation": degradation}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        known = known_fields(cls, values)
        if "network" in known:
            known["network"] = NetworkSpec.from_dict(known["network"])
        if known.get("degradation") is not None:
            known["degradation"] = Degradation.from_dict(known["degradation"])
        return cls(**known)


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(type(value) in (int, float) and 0 <= value < math.inf for value in values)
