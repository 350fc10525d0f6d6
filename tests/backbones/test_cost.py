import pytest

from scales_cli.backbones.cost import LR_PIXELS, AttentionCost, count
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.backbones.table import SIZES

BASE = {"n_blocks": 16}


@pytest.mark.parametrize(
    ("spec", "giga_operations", "kilo_parameters"),
    [
        (NetworkSpec(scale=2, **BASE), 1.228, 39.8),
        (NetworkSpec(scale=4, **BASE), 1.626, 46.7),
        (NetworkSpec(scale=2, planes="rgb", **BASE), 1.559, 45.6),
        (NetworkSpec(scale=4, planes="rgb", **BASE), 2.754, 66.4),
    ],
)
def test_srresnet_costs_what_was_published(spec, giga_operations, kilo_parameters):
    cost = count(spec.parts())
    assert cost.operations / 1e9 == pytest.approx(giga_operations, abs=5e-4)
    assert cost.parameters / 1e3 == pytest.approx(kilo_parameters, abs=0.06)


@pytest.mark.parametrize(
    ("size", "scale", "giga_operations", "kilo_parameters", "full_precision"),
    [
        ("rdn", 2, 10.41, 353.0, None),
        ("rdn", 4, 11.61, 373.8, 636.3),
        ("rcan", 2, 4.147, 135.4, None),
        ("rcan", 4, 5.342, 156.2, 235.3),
        ("edsr", 2, 35.97, 1214.5, None),
        ("edsr", 4, 40.74, 1297.5, 2181.1),
    ],
)
def test_convolutional_backbones_cost_what_was_published(size, scale, giga_operations, kilo_parameters, full_precision):
    spec = NetworkSpec(scale=scale, planes="rgb", **SIZES[size])
    cost = count(spec.parts())
    assert cost.operations / 1e9 == pytest.approx(giga_operations, rel=5e-4)
    assert cost.parameters / 1e3 == pytest.approx(kilo_parameters, abs=0.06)
    if full_precision is not None:
        assert count(spec.full_precision().parts()).operations / 1e9 == pytest.approx(full_precision, abs=0.06)


@pytest.mark.parametrize(("scale", "kilo_parameters"), [(2, 83.6), (4, 103.1)])
def test_binary_swinir_costs_what_was_computed_from_the_published_sizes(scale, kilo_parameters):
    spec = NetworkSpec(scale=scale, planes="rgb", **SIZES["swinir"])
    assert count(spec.parts()).parameters / 1e3 == pytest.approx(kilo_parameters, abs=0.06)


def test_most_operations_of_a_binary_transformer_are_attention():
    parts = NetworkSpec(planes="rgb", **SIZES["swinir"]).parts()
    without = [part for part in parts if not isinstance(part, AttentionCost)]
    assert count(parts).operations / 1e9 == pytest.approx(12.97, abs=0.01)
    assert count(without).operations / 1e9 == pytest.approx(2.35, abs=0.01)


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_counted_parameters_are_those_of_the_network(size, scale):
    build = pytest.importorskip("scales_cli.networks.build")
    spec = NetworkSpec(scale=scale, **SIZES[size]).full_precision()
    network = build.build_network(spec)
    uncounted = {"srresnet": ("activation",), "rdn": ("activation",), "rcan": ("activation", "attention")}
    left_out = uncounted.get(spec.backbone, ())
    expected = sum(
        value.numel() for name, value in network.named_parameters() if not any(part in name for part in left_out)
    )
    assert count(spec.parts()).parameters == expected


def test_full_precision_twin_costs_what_was_published():
    assert count(NetworkSpec(layers="float", **BASE).parts()).operations / 1e9 == pytest.approx(68.5, abs=0.05)


@pytest.mark.parametrize(
    ("layers", "options", "parameters", "multiplications"),
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
def test_everything_is_the_convolutions_and_what_each_layer_adds(layers, options, parameters, multiplications):
    build = pytest.importorskip("scales_cli.networks.build")
    cost = pytest.importorskip("scales_cli.networks.cost")
    network = build.build_network(NetworkSpec(layers=layers, conv_options=options, **BASE))
    convolutions, everything = count(network.spec.parts()), cost.count_everything(network)
    assert everything.parameters - convolutions.parameters == 32 * parameters
    assert everything.operations - convolutions.operations == LR_PIXELS * 32 * multiplications
