import pytest

from scales_cli.config import NetworkSpec
from scales_cli.evaluation.cost import count, srresnet

BASE = {"n_blocks": 16}


@pytest.mark.parametrize(
    ("spec", "giga_operations", "kilo_parameters"),
    [
        (NetworkSpec(scale=2, **BASE), 1.228, 39.8),
        (NetworkSpec(scale=4, **BASE), 1.626, 46.7),
        (NetworkSpec(scale=2, colors=3, **BASE), 1.559, 45.6),
        (NetworkSpec(scale=4, colors=3, **BASE), 2.754, 66.4),
    ],
)
def test_srresnet_costs_what_was_published(spec, giga_operations, kilo_parameters):
    cost = count(srresnet(spec))
    assert cost.operations / 1e9 == pytest.approx(giga_operations, abs=5e-4)
    assert cost.parameters / 1e3 == pytest.approx(kilo_parameters, abs=0.06)


def test_full_precision_twin_costs_what_was_published():
    assert count(srresnet(NetworkSpec(conv="float", **BASE))).operations / 1e9 == pytest.approx(68.5, abs=0.05)
