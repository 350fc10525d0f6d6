"""HAT: n_blocks groups of n_layers hybrid layers and one whose windows overlap; its tail enlarges in steps."""

from __future__ import annotations

from scales_cli.backbones.backbone import Backbone, Dimensions, Option
from scales_cli.backbones.cost import ConvCost, Part
from scales_cli.backbones.windows import attention_parts, ceil_to, mlp_parts, reach_of_layer, transformer_parts

TAIL_FEATS = 64


def tail_steps(scale: int) -> list[int]:
    """The factors by which the tail enlarges, one after the other."""
    return [3] if scale == 3 else [2] * (scale // 2)


def body(
    spec: Dimensions,
    n_layers: int,
    n_heads: int,
    window: int,
    mlp_ratio: int,
    compress: int,
    squeeze: int,
    overlap: float,
) -> list[Part]:
    n_feats, narrow, squeezed = spec.n_feats, spec.n_feats // compress, spec.n_feats // squeeze
    channels: list[Part] = [ConvCost(n_feats, narrow, 3), ConvCost(narrow, n_feats, 3)]
    channels += [ConvCost(n_feats, squeezed, 1, times=0), ConvCost(squeezed, n_feats, 1, times=0)]  # once a picture
    hybrid = [*attention_parts(spec, n_heads, window, window), *channels, *mlp_parts(spec, mlp_ratio)]
    reach = window + int(window * overlap)
    overlapping = [*attention_parts(spec, n_heads, window, reach), *mlp_parts(spec, mlp_ratio)]
    return transformer_parts(spec, hybrid * n_layers + overlapping)


def tail(spec: Dimensions) -> list[Part]:
    parts: list[Part] = [ConvCost(spec.n_feats, TAIL_FEATS, 3)]
    side = 1
    for step in tail_steps(spec.scale):
        parts.append(ConvCost(TAIL_FEATS, TAIL_FEATS * step**2, 3, times=side**2))
        side *= step
    return [*parts, ConvCost(TAIL_FEATS, spec.colors, 3, times=side**2)]


def receptive_field(
    spec: Dimensions,
    n_layers: int,
    n_heads: int,
    window: int,
    mlp_ratio: int,
    compress: int,
    squeeze: int,
    overlap: float,
) -> int:
    """From the tail back to the head, in whole windows."""
    reach = 4  # last convolution and tail, whose convolutions at twice the resolution reach half as far, and so on
    for _ in range(spec.n_blocks):
        reach = ceil_to(reach + 1, window) + int(window * overlap) // 2  # the group's convolution, overlapping windows
        for index in reversed(range(n_layers)):
            reach = max(reach_of_layer(reach, window, index), reach + 2)  # beside attention stand two convolutions
    return ceil_to(reach + 1, window)


HAT = Backbone(
    options={
        "n_layers": Option(6),
        "n_heads": Option(6),
        "window": Option(16, most=32),
        "mlp_ratio": Option(2, most=16),
        "compress": Option(24),
        "squeeze": Option(24),
        "overlap": Option(0.5, least=0, most=1),
    },
    sizes={"hat": {"n_feats": 144, "n_blocks": 6}},
    body=body,
    tail=tail,
    receptive_field=receptive_field,
    live_features=lambda spec, **sizes: 80,  # of windows that overlap; measured, and rounded up
)
