"""The backbones by name, and the sizes that `--size` takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scales_cli.backbones.backbone import Backbone
from scales_cli.backbones.hat import HAT
from scales_cli.backbones.rcan import RCAN
from scales_cli.backbones.rdn import RDN
from scales_cli.backbones.srresnet import SRRESNET
from scales_cli.backbones.swinir import SWINIR

BACKBONES: dict[str, Backbone] = {"srresnet": SRRESNET, "rdn": RDN, "rcan": RCAN, "swinir": SWINIR, "hat": HAT}

# Fields of a NetworkSpec by the name of a size.
SIZES: dict[str, Mapping[str, Any]] = {
    size: {"backbone": name, **fields}
    for name, backbone in BACKBONES.items()
    for size, fields in backbone.sizes.items()
}
