import pytest
import torch

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.backbones.table import SIZES
from scales_cli.errors import UsageError
from scales_cli.layers.families import FAMILIES
from scales_cli.networks.blocks import ChannelAttention
from scales_cli.networks.build import build_network
from scales_cli.networks.calibration import calibrate

SMALL = {
    "rdn": {"backbone": "rdn", "n_blocks": 2, "backbone_options": {"n_layers": 2}},
    "rcan": {"backbone": "rcan", "n_blocks": 2, "backbone_options": {"n_layers": 1}},
    "edsr": {"n_feats": 256, "n_blocks": 1},
    "swinir": {
        "backbone": "swinir",
        "n_feats": 24,
        "n_blocks": 2,
        "backbone_options": {"n_layers": 2, "n_heads": 2},
    },
    "hat": {
        "backbone": "hat",
        "n_feats": 24,
        "n_blocks": 1,
        "backbone_options": {"n_layers": 2, "n_heads": 2, "window": 8, "compress": 4, "squeeze": 4},
    },
}


def takes(conv, backbone):
    return FAMILIES[conv].linear is not None or backbone not in ("swinir", "hat")


@pytest.mark.parametrize("conv", sorted(FAMILIES))
@pytest.mark.parametrize("name", sorted(SMALL))
def test_backbones_take_any_layers_and_pictures(name, conv):
    torch.manual_seed(0)
    spec = NetworkSpec(scale=3, layers=conv, **SMALL[name])
    if not takes(conv, spec.backbone):
        with pytest.raises(UsageError, match="needs linear ones"):
            build_network(spec)
        return
    network = build_network(spec)
    calibrate(network, torch.rand(2, 1, 9, 8))
    for height, width in [(2, 2), (3, 17), (16, 8)]:
        out = network(torch.rand(2, 1, height, width))
        assert out.shape == (2, 1, 3 * height, 3 * width)
    out.square().mean().backward()
    assert all(value.grad is not None for value in network.parameters())


@pytest.mark.parametrize("name", sorted(SMALL))
def test_pictures_of_a_batch_do_not_meet(name):
    torch.manual_seed(1)
    network = build_network(NetworkSpec(**SMALL[name])).eval()
    batch = torch.rand(3, 1, 11, 13)
    alone = torch.cat([network(picture[None]) for picture in batch])
    torch.testing.assert_close(network(batch), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_fresh_network_is_nearly_bicubic(name):
    torch.manual_seed(2)
    network = build_network(NetworkSpec(**SMALL[name]))
    batch = torch.rand(2, 1, 16, 16)
    calibrate(network, batch)
    assert (network(batch) - network.bicubic(batch)).abs().mean() < 0.5


@pytest.mark.parametrize(("scale", "parameters"), [(2, 877_752), (3, 885_867), (4, 897_228)])
def test_swinir_s_has_the_published_parameters(scale, parameters):
    """878K, 886K and 897K, without the tables of position biases."""
    network = build_network(NetworkSpec(scale=scale, planes="rgb", **SIZES["swinir"]).full_precision())
    named = network.named_parameters()
    assert sum(value.numel() for name, value in named if "position_bias" not in name) == parameters


def test_hat_s_has_the_published_parameters():
    """9.6M, which are reached with the tables of position biases: 9.36M without."""
    network = build_network(NetworkSpec(scale=4, planes="rgb", **SIZES["hat"]).full_precision())
    assert sum(value.numel() for value in network.parameters()) == 9_621_183


def test_channel_attention_weighs_what_an_rcan_block_adds():
    torch.manual_seed(3)
    block = build_network(NetworkSpec(**SMALL["rcan"])).body[0]
    x = torch.randn(1, 64, 5, 5)
    with torch.no_grad():
        block.attention.excite.bias.fill_(-50)
    torch.testing.assert_close(block(x), x)


def test_channel_attention_is_one_weight_a_channel():
    attention, x = ChannelAttention(16, 4), torch.randn(2, 16, 3, 4)
    weights = attention(x)
    assert weights.shape == (2, 16, 1, 1)
    mirrored = attention(x.flip(2, 3))
    torch.testing.assert_close(weights, mirrored)


@pytest.mark.parametrize(
    "values",
    [
        {"backbone": "vgg"},
        {"backbone": "swinir", "backbone_options": {"depth": 3}},
        {"backbone": "swinir", "backbone_options": {"window": 0}},
        {"backbone": "swinir", "backbone_options": {"window": 8.0}},
        {"backbone": "swinir", "backbone_options": {"n_layers": 10_000}},
        {"backbone": "rdn", "n_blocks": 65, "backbone_options": {"n_layers": 1}},
        {"backbone": "swinir", "n_blocks": 200, "backbone_options": {"n_layers": 200}},
        {"backbone_options": {"n_layers": 2}},
        {"linear_options": {"skip": False}},
        {"backbone_options": 3},
    ],
)
def test_dimensions_that_cannot_be_are_refused(values):
    with pytest.raises(UsageError):
        NetworkSpec(**values)


def test_heads_must_share_the_channels():
    with pytest.raises(UsageError, match="cannot be shared by 7 heads"):
        build_network(NetworkSpec(backbone="swinir", n_feats=60, backbone_options={"n_heads": 7}))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"window": 8, "overlap": 0.2}, "reach 1 further"), ({"compress": 100}, "cannot be a 100th")],
)
def test_hat_refuses_what_would_fail_with_a_picture(options, message):
    with pytest.raises(UsageError, match=message):
        build_network(NetworkSpec(backbone="hat", n_feats=24, backbone_options=options))
