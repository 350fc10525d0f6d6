"""RDN: n_blocks dense blocks of n_layers convolutions that add `growth` channels each."""

from __future__ import annotations

from scales_cli.backbones.backbone import Backbone, Dimensions, Option, body_conv
from scales_cli.backbones.cost import Part


def body(spec: Dimensions, n_layers: int, growth: int) -> list[Part]:
    dense: list[Part] = [body_conv(spec, spec.n_feats + i * growth, growth) for i in range(n_layers)]
    block = [*dense, body_conv(spec, spec.n_feats + n_layers * growth, kernel=1)]
    fusion = [body_conv(spec, spec.n_blocks * spec.n_feats, kernel=1), body_conv(spec)]
    return [body_conv(spec), *block * spec.n_blocks, *fusion]


def receptive_field(spec: Dimensions, n_layers: int, growth: int) -> int:
    return spec.n_blocks * n_layers + 4  # head, first, fusion, tail


def live_features(spec: Dimensions, n_layers: int, growth: int) -> int:
    """A dense block's outputs, all of them side by side, and the outputs of all blocks; measured, and rounded up."""
    return 2 * (n_layers + 1) + spec.n_blocks + 6


RDN = Backbone(
    options={"n_layers": Option(8), "growth": Option(64)},
    sizes={"rdn": {"n_blocks": 8}},
    body=body,
    receptive_field=receptive_field,
    live_features=live_features,
)
