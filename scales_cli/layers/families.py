"""The layers that a name such as "scales" or "float" stands for: every backbone is built of any of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scales_cli.backbones.spec import NetworkSpec, Options
from scales_cli.errors import UsageError
from scales_cli.layers.bbcu import BBCUConv2d
from scales_cli.layers.bibert import BiBERTLinear
from scales_cli.layers.binary_conv import BinaryConv2d
from scales_cli.layers.binary_linear import BinaryLinear
from scales_cli.layers.btm import BTMConv2d
from scales_cli.layers.e2fif import E2FIFConv2d
from scales_cli.layers.full_precision import FloatConv2d, FloatLinear, GroupConv2d
from scales_cli.layers.reactnet import ReActNetConv2d
from scales_cli.layers.scales import ScalesConv2d, ScalesLinear

Build = Callable[..., Any]


@dataclass(frozen=True)
class Layers:
    """What a backbone builds its body of.

    conv(in, out, kernel_size) makes a convolution as `binary_conv` has, linear(in, out, inner=...) a layer on tokens as
    `binary_linear` has (None: the family has none), group_conv(n) the 3x3 convolution at the end of a group of
    Transformer layers. All of them say by `has_skip` whether their output holds their input.
    attend(window, shift) makes what computes attention within windows, from (bias, query, key, value), in the place of
    the backbone's own.
    """

    conv: Build
    linear: Build | None
    group_conv: Build
    attend: Build | None = None

    def require_linear(self) -> Build:
        if self.linear is None:
            raise ValueError("these layers are convolutions only, a Transformer needs linear ones")
        return self.linear


FAMILIES: Mapping[str, Layers] = {
    "scales": Layers(ScalesConv2d, ScalesLinear, ScalesConv2d),
    "binary": Layers(BinaryConv2d, BinaryLinear, BinaryConv2d),
    "bibert": Layers(BinaryConv2d, BiBERTLinear, BinaryConv2d),
    "e2fif": Layers(E2FIFConv2d, None, E2FIFConv2d),
    "reactnet": Layers(ReActNetConv2d, None, ReActNetConv2d),
    "bbcu": Layers(BBCUConv2d, None, BBCUConv2d),
    "btm": Layers(BTMConv2d, None, BTMConv2d),
    "float": Layers(FloatConv2d, FloatLinear, GroupConv2d),
}


def choose_layers(spec: NetworkSpec) -> Layers:
    """The family `spec.layers` with its options.

    Raises `UsageError` for an unknown name, `ValueError` for options that the layers do not have.
    """
    if spec.layers not in FAMILIES:
        raise UsageError(f"unknown layers {spec.layers!r}", f"known are {', '.join(FAMILIES)}")
    family = FAMILIES[spec.layers]
    conv, group_conv = (_with_options(build, spec.conv_options) for build in (family.conv, family.group_conv))
    linear = _with_options(family.linear, spec.linear_options) if family.linear else None
    return Layers(conv, linear, group_conv)


def _with_options(build: Build, options: Options) -> Build:
    """`build` with its options set, which are its keyword arguments but for `inner`, the backbone's to give."""
    parameters = inspect.signature(build).parameters.values()
    known = {item.name: item.default for item in parameters if item.kind is item.KEYWORD_ONLY and item.name != "inner"}
    for name, value in options.items():
        if name not in known:
            raise ValueError(f"unknown option {name!r}")
        kind = type(known[name])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ValueError(f"{name} is {value!r}, give a value like {known[name]!r}")
    return functools.partial(build, **options)
