"""Every backbone says all that is asked of one, and what it says of itself is true of its network."""

import re
from pathlib import Path

import pytest

import scales_cli
from scales_cli.backbones.cost import count
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.backbones.table import BACKBONES, SIZES

SPECS = {size: NetworkSpec(**fields) for size, fields in SIZES.items()}


def test_every_backbone_has_a_network():
    build = pytest.importorskip("scales_cli.networks.build")
    assert build.NETWORKS.keys() == BACKBONES.keys()


def test_every_backbone_has_sizes_and_no_two_share_one():
    assert {spec.backbone for spec in SPECS.values()} == set(BACKBONES)
    assert len(SIZES) == sum(len(backbone.sizes) for backbone in BACKBONES.values())


@pytest.mark.parametrize("size", sorted(SPECS))
def test_every_size_can_be_counted_and_planned(size):
    spec = SPECS[size]
    assert count(spec.parts()).operations > 0
    assert spec.receptive_field >= 2
    assert spec.live_features >= 2
    assert spec.receptive_field % spec.window == 0


@pytest.mark.parametrize("size", sorted(SPECS))
def test_native_stack_are_the_binary_ones_of_the_network(size):
    build = pytest.importorskip("scales_cli.networks.build")
    from scales_cli.layers.binary_layer import BinaryLayer

    spec = SPECS[size]
    network = build.build_network(spec)
    named = [name for name, module in network.named_modules() if isinstance(module, BinaryLayer)]
    assert list(spec.native_stack) == (named if spec.runs_natively else [])


def test_nobody_else_asks_for_a_backbone_by_name():
    asked = re.compile(rf"""(==|!=|in|case) [(\[{{]?["']({"|".join(BACKBONES)})["']""")
    for path in Path(scales_cli.__file__).parent.rglob("*.py"):
        assert not asked.search(path.read_text(encoding="utf-8")), path
