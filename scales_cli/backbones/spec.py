"""What a network is: frozen, torch-free, stored in checkpoints and packed weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from scales_cli.backbones.backbone import Backbone
from scales_cli.backbones.cost import ConvCost, Part
from scales_cli.backbones.fields import check_types, known_fields
from scales_cli.backbones.table import BACKBONES
from scales_cli.errors import UsageError

SCALES = (2, 3, 4)
# Kinds of planes: what a network sees of a picture, and how many of these planes it enlarges itself. The chroma of
# "ycc" is cleaned at LR size and enlarged bicubically.
PLANES: Mapping[str, tuple[int, int]] = {"luma": (1, 1), "rgb": (3, 3), "ycc": (3, 1)}
MAX_LAYERS = 1024  # of all blocks together
MAX_INPUTS = 4096  # of a binary layer: what the native kernels take
# Of an 8-bit tail: sums of two products with unsigned bytes, as AVX2 makes them, fit into 16 bits so.
LARGEST_TAIL_INPUT, LARGEST_TAIL_WEIGHT = 127, 64

Options = Mapping[str, int | float | str | bool]
_OPTIONS = ("conv_options", "linear_options", "backbone_options")


@dataclass(frozen=True)
class NetworkSpec:
    """A network's dimensions.

    `n_blocks` counts the backbone's blocks or groups, whose inner sizes are `backbone_options`. `layers` names the
    family of the body's layers (`layers.families`), `conv_options` and `linear_options` are arguments of its classes.
    """

    scale: int = 4
    backbone: str = "srresnet"
    planes: str = "luma"
    strength: bool = False
    n_feats: int = 64
    n_blocks: int = 4
    layers: str = "scales"
    conv_options: Options = field(default_factory=dict)
    linear_options: Options = field(default_factory=dict)
    backbone_options: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self)
        for name in _OPTIONS:
            if not isinstance(getattr(self, name), Mapping):
                raise UsageError(f"{name} is not a table", "give names and values")
        if self.scale not in SCALES:
            raise UsageError(f"scale {self.scale} is not supported", "use 2, 3 or 4")
        if self.planes not in PLANES:
            raise UsageError(f"unknown kind of planes {self.planes!r}", f"known are {', '.join(PLANES)}")
        if not (8 <= self.n_feats <= 1024 and 1 <= self.n_blocks <= 256):
            raise UsageError("n_feats must be 8..1024 and n_blocks 1..256", "see scales_cli/training/README.md")
        if self.backbone not in BACKBONES:
            raise UsageError(f"unknown backbone {self.backbone!r}", f"known are {', '.join(BACKBONES)}")
        if self.runs_natively and self.n_feats % 64:
            raise UsageError(f"{self.n_feats} channels do not fill 64-bit words", "use a multiple of 64")
        if self.has_chroma and not self.runs_natively:
            raise UsageError(f"{self.backbone} gives no chroma", "use planes luma or rgb, or srresnet")
        self._check_options()

    def _check_options(self) -> None:
        if self.linear_options and not self.is_transformer:
            raise UsageError(f"{self.backbone} has no binary linear layers", "leave out linear_options")
        known = self._backbone.options
        for name, value in self.backbone_options.items():
            if name not in known:
                raise UsageError(
                    f"unknown option {name!r} of {self.backbone}", f"known are {', '.join(known) or 'none'}"
                )
            option = known[name]
            if type(value) is not type(option.default) or not option.least <= float(value) <= option.most:
                raise UsageError(f"{name} of {self.backbone} is {value!r}", f"give a number like {option.default!r}")
        if self.n_blocks * int(self.dimensions.get("n_layers", 1)) > MAX_LAYERS:
            raise UsageError(f"more than {MAX_LAYERS} layers", "give fewer blocks or n_layers")
        if any(isinstance(part, ConvCost) and part.binary and part.inputs > MAX_INPUTS for part in self.parts()):
            raise UsageError(
                f"a binary layer of more than {MAX_INPUTS} inputs", "give fewer blocks, channels or layers"
            )

    @property
    def _backbone(self) -> Backbone:
        return BACKBONES[self.backbone]

    @property
    def dimensions(self) -> dict[str, Any]:
        """All of the backbone's inner sizes."""
        return {name: option.default for name, option in self._backbone.options.items()} | dict(self.backbone_options)

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
    def is_binary(self) -> bool:
        return self.layers != "float"

    @property
    def is_transformer(self) -> bool:
        return "window" in self._backbone.options

    @property
    def window(self) -> int:
        """The side of a Transformer's windows of tokens, in LR pixels; 1 of other backbones."""
        return int(self.dimensions.get("window", 1))

    @property
    def runs_natively(self) -> bool:
        """Whether the native engine runs its packed form alone; others need torch."""
        return self._backbone.native_stack is not None

    @property
    def native_stack(self) -> Sequence[str]:
        """Names of the binary convolutions that the native engine runs one after the other; none if it needs torch."""
        return self._backbone.native_stack(self) if self._backbone.native_stack else ()

    @property
    def has_int8_tail(self) -> bool:
        """Whether the last convolution is one of whole numbers of 8 bits; others are full precision."""
        return self.runs_natively and self.layers == "scales"

    @property
    def n_convs(self) -> int:
        """The length of `native_stack`."""
        return len(self.native_stack)

    @property
    def receptive_field(self) -> int:
        """How far around a tile its output depends on the picture, in LR pixels."""
        return self._backbone.receptive_field(self, **self.dimensions)

    @property
    def live_features(self) -> int:
        """Tensors [n_feats, H, W] that are in memory at once when torch runs it."""
        return self._backbone.live_features(self, **self.dimensions)

    def parts(self) -> list[Part]:
        """Head, body and tail, to be counted."""
        body = self._backbone.body(self, **self.dimensions)
        return [ConvCost(self.inputs, self.n_feats, 3), *body, *self._backbone.tail(self)]

    def full_precision(self) -> Self:
        """The twin of the same sizes without binary layers."""
        return dataclasses.replace(self, layers="float", conv_options={}, linear_options={})

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {name: dict(getattr(self, name)) for name in _OPTIONS}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        return cls(**known_fields(cls, values))
