import pytest

from scales_cli.config import NetworkSpec
from scales_cli.evaluation.cost import LR_PIXELS, count, count_everything, srresnet

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


@pytest.mark.parametrize(
    ("conv", "options", "parameters", "multiplications"),
    [
        ("binary", {}, 64, 64),  # s_W
        ("btm", {}, 2 * 64, 2 * 64),  # s_W, slopes
        ("bbcu", {}, 5 * 64, 2 * 64),  # shift, s_W, RPReLU
        ("e2fif", {}, 2 * 64, 1.5 * 64),  # BN, and LeakyReLU on every second layer
        ("reactnet", {}, 6 * 64, 2 * 64),  # shift, BN with s_W in it, RPReLU
        ("scales", {}, 1 + 64 + 64 + 65 + 5 + 3 * 64, 5 * 64),  # alpha, beta, s, S, C, RPReLU
        ("scales", {"layerwise": False, "spatial": False, "channel": False}, 4 * 64, 2 * 64),  # s, RPReLU
        ("float", {}, 64, 64),  # slopes
    ],
)
def test_everything_is_the_convolutions_and_what_each_layer_adds(conv, options, parameters, multiplications):
    build = pytest.importorskip("scales_cli.networks.build")
    network = build.build_network(NetworkSpec(conv=conv, conv_options=options, **BASE))
    convolutions, everything = count(srresnet(network.spec)), count_everything(network)
    assert everything.parameters - convolutions.parameters == 32 * parameters
    assert everything.operations - convolutions.operations == LR_PIXELS * 32 * multiplications
