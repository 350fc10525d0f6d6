import numpy as np
import pytest
import torch

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.imaging.resize import imresize
from scales_cli.layers.families import FAMILIES
from scales_cli.networks.blocks import BicubicUpsampler
from scales_cli.networks.build import NETWORKS, build_network
from scales_cli.networks.calibration import calibrate


@pytest.mark.parametrize("conv", sorted(FAMILIES))
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_srresnet_takes_any_conv_at_any_scale(conv, scale):
    network = build_network(NetworkSpec(scale=scale, layers=conv, n_blocks=1))
    assert network(torch.rand(2, 1, 7, 5)).shape == (2, 1, 7 * scale, 5 * scale)


def test_e2fif_has_an_activation_on_the_stream_within_each_block():
    network = build_network(NetworkSpec(layers="e2fif", n_blocks=2))
    kinds = [type(module).__name__ for module in network.body]
    assert kinds == 2 * ["E2FIFConv2d", "LeakyReLU", "E2FIFConv2d"]


def test_srresnet_in_rgb():
    network = build_network(NetworkSpec(planes="rgb", n_blocks=1))
    assert network(torch.rand(1, 3, 5, 6)).shape == (1, 3, 20, 24)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_upsampler_equals_imresize(scale, rng):
    image = rng.random((9, 6))
    ours = BicubicUpsampler(scale)(torch.tensor(image, dtype=torch.float32)[None, None])[0, 0]
    np.testing.assert_allclose(ours.numpy(), imresize(image, scale), atol=1e-6)


def test_calibrate_sets_each_factor_from_its_own_input():
    torch.manual_seed(0)
    network = build_network(NetworkSpec(n_blocks=2))
    batch = torch.rand(2, 1, 16, 16)
    calibrate(network, batch)
    x = network.head(4 * batch - 2)
    for layer in network.body:
        assert layer.binarize.alpha.item() == pytest.approx(2 * x.abs().mean().item(), rel=1e-5)
        x = layer(x)


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec(layers="ternary"),
        NetworkSpec(conv_options={"taps": 3}),
        NetworkSpec(conv_options={"activation": "tanh"}),
        NetworkSpec(conv_options={"channel_kernel": "5"}),
        NetworkSpec(conv_options={"out_feats": 32}),
        NetworkSpec(layers="float", conv_options={"spatial": False}),
    ],
)
def test_build_network_refuses_what_it_does_not_know(spec):
    with pytest.raises(UsageError):
        build_network(spec)


def test_a_mistake_in_a_network_is_not_taken_for_options_that_do_not_fit(monkeypatch):
    def mistaken(spec, layers):
        raise TypeError("a bug")

    monkeypatch.setitem(NETWORKS, "srresnet", mistaken)
    with pytest.raises(TypeError, match="a bug"):
        build_network(NetworkSpec())
