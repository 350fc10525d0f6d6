"""SwinIR: n_blocks groups of n_layers Swin layers and a convolution."""

from __future__ import annotations

from scales_cli.backbones.backbone import Backbone, Dimensions, Option
from scales_cli.backbones.cost import Part
from scales_cli.backbones.windows import attention_parts, ceil_to, mlp_parts, reach_of_layer, transformer_parts


def body(spec: Dimensions, n_layers: int, n_heads: int, window: int, mlp_ratio: int) -> list[Part]:
    layer = [*attention_parts(spec, n_heads, window, window), *mlp_parts(spec, mlp_ratio)]
    return transformer_parts(spec, layer * n_layers)


def receptive_field(spec: Dimensions, n_layers: int, n_heads: int, window: int, mlp_ratio: int) -> int:
    """From the tail back to the head, in whole windows."""
    reach = 2  # tail and last convolution
    for _ in range(spec.n_blocks):
        reach += 1  # the group's convolution
        for index in reversed(range(n_layers)):
            reach = reach_of_layer(reach, window, index)
    return ceil_to(reach + 1, window)


SWINIR = Backbone(
    options={
        "n_layers": Option(6),
        "n_heads": Option(6),
        "window": Option(8, most=32),
        "mlp_ratio": Option(2, most=16),
    },
    sizes={
        "swinir-mini": {"n_feats": 32, "n_blocks": 2, "backbone_options": {"n_layers": 2, "n_heads": 2}},
        "swinir": {"n_feats": 60, "n_blocks": 4},
    },
    body=body,
    receptive_field=receptive_field,
    live_features=lambda spec, **sizes: 16,  # measured, and rounded up
)
