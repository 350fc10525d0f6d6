"""The layers that a name such as "scales" or "float" stands for: every backbone is built of any of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from scales_cli.config import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.layers.bbcu import BBCUConv2d
from scales_cli.layers.binary_conv import BinaryConv2d, FloatConv2d, ScalesConv2d
from scales_cli.layers.binary_linear import BiBERTLinear, BinaryLinear, FloatLinear, ScalesLinear
from scales_cli.layers.btm import BTMConv2d
from scales_cli.layers.e2fif import E2FIFConv2d
from scales_cli.layers.reactnet import ReActNetConv2d

Build = Callable[..., Any]


@dataclass(frozen=True)
class Layers:
    """What a backbone builds its body of.

    conv(in, out, kernel_size) is one of `binary_conv`. linear(in, out, inner=...) is one of `binary_linear`, None where
    a family has none. group_conv(n) is the 3x3 convolution at the end of a group of Transformer layers.
    """

    conv: Build
    linear: Build | None
    group_conv: Build

    def require_linear(self) -> Build:
        if self.linear is None:
            raise TypeError("these layers are convolutions only, a Transformer needs linear ones")
        return self.linear


class GroupConv2d(nn.Conv2d):
    """The plain 3x3 convolution of full-precision Transformers, without skip and activation."""

    def __init__(self, n_feats: int) -> None:
        super().__init__(n_feats, n_feats, 3, padding=1)


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
    """The layers of `spec.conv` with its options; raises `UsageError` for an unknown name."""
    if spec.conv not in FAMILIES:
        raise UsageError(f"unknown convolution {spec.conv!r}", f"known are {', '.join(FAMILIES)}")
    family = FAMILIES[spec.conv]
    conv = functools.partial(family.conv, **spec.conv_options)
    group_conv = functools.partial(family.group_conv, **spec.conv_options)
    linear = functools.partial(family.linear, **spec.linear_options) if family.linear else None
    return Layers(conv, linear, group_conv)
