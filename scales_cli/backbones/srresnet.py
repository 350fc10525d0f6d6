"""SRResNet and EDSR: 2 n_blocks convolutions in a row."""

from __future__ import annotations

from scales_cli.backbones.backbone import Backbone, Dimensions, body_conv
from scales_cli.backbones.cost import Part


def body(spec: Dimensions) -> list[Part]:
    return [body_conv(spec) for _ in range(2 * spec.n_blocks)]


def native_stack(spec: Dimensions) -> list[str]:
    return [f"body.{index}" for index in range(2 * spec.n_blocks)]


SRRESNET = Backbone(
    sizes={  # photo is for pictures as people have them
        "tiny": {"n_blocks": 4},
        "base": {"n_blocks": 16},
        "photo-tiny": {"n_blocks": 4, "planes": "ycc", "strength": True},
        "photo": {"n_blocks": 16, "planes": "ycc", "strength": True},
        "edsr": {"n_feats": 256, "n_blocks": 32},
    },
    body=body,
    receptive_field=lambda spec: 2 * spec.n_blocks + 2,  # head, tail
    live_features=lambda spec: 4,
    native_stack=native_stack,
)
