"""RCAN: n_blocks groups of n_layers blocks with channel attention, each of two convolutions."""

from __future__ import annotations

from scales_cli.backbones.backbone import Backbone, Dimensions, Option, body_conv
from scales_cli.backbones.cost import Part


def body(spec: Dimensions, n_layers: int, reduction: int) -> list[Part]:
    """Without channel attention, as published counts are."""
    return [body_conv(spec) for _ in range((2 * n_layers + 1) * spec.n_blocks)]


def receptive_field(spec: Dimensions, n_layers: int, reduction: int) -> int:
    return spec.n_blocks * (2 * n_layers + 1) + 2  # head, tail


RCAN = Backbone(
    options={"n_layers": Option(5), "reduction": Option(16)},
    sizes={"rcan": {"n_blocks": 10}, "rcan-mini": {"n_blocks": 3, "backbone_options": {"n_layers": 2}}},
    body=body,
    receptive_field=receptive_field,
    live_features=lambda spec, **sizes: 10,  # measured, and rounded up
)
