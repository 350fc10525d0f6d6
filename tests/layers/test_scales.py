"""The layer of SCALES against its equation, for convolutional networks and for Transformers."""

import pytest
import torch
from torch.nn import functional

from scales_cli.layers.binarize import sign
from scales_cli.layers.binary_linear import BinaryLinear
from scales_cli.layers.scales import ScalesConv2d, ScalesLinear


def test_scales_conv_is_the_equation():
    torch.manual_seed(1)
    layer = ScalesConv2d(64)
    with torch.no_grad():
        layer.binarize.beta.normal_(0, 0.1)
        layer.scale.normal_(0, 0.01)
        layer.activation.slope.normal_(0, 0.5)
    x = torch.randn(2, 64, 5, 7)
    alpha, beta = layer.binarize.factor(), layer.binarize.beta.view(-1, 1, 1)
    bits = torch.where(x >= beta, alpha, -alpha)
    weight = layer.scale.view(-1, 1, 1, 1) * torch.where(layer.weight >= 0, 1.0, -1.0)
    branch = functional.conv2d(bits, weight, padding=1) * layer.spatial(x) * layer.channel(x)
    torch.testing.assert_close(layer(x), x + layer.activation(branch), atol=1e-5, rtol=1e-5)


def test_scales_conv_starts_with_a_small_branch():
    torch.manual_seed(2)
    layer = ScalesConv2d(64, activation="none", start=0.2)
    x = torch.randn(4, 64, 16, 16)
    layer.binarize.calibrate(x)
    inner = (layer(x) - x)[..., 1:-1, 1:-1]
    assert 0.1 < (inner.std() / x.std()).item() < 0.3


def test_scales_conv_mean_weight_scale_has_no_parameter():
    layer = ScalesConv2d(64, weight_scale="mean")
    assert "scale" not in dict(layer.named_parameters())
    torch.testing.assert_close(layer.weight_scale(), layer.weight.abs().mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("options", [{"activation": "tanh"}, {"weight_scale": "max"}, {"channel_kernel": 2}])
def test_scales_conv_refuses_unknown_options(options):
    with pytest.raises(ValueError, match=r"unknown|odd"):
        ScalesConv2d(64, **options)


def test_scales_linear_is_the_equation():
    torch.manual_seed(1)
    layer = ScalesLinear(60, 60, inner=True)
    with torch.no_grad():
        layer.binarize.alpha.fill_(0.7)
        layer.binarize.beta.normal_(0, 0.1)
        layer.scale.normal_(0, 0.01)
        layer.bias.normal_()
    x = torch.randn(3, 10, 60)
    alpha, beta = layer.binarize.factor(), layer.binarize.beta
    bits = torch.where(x >= beta, alpha, -alpha)
    weight = layer.scale[:, None] * sign(layer.weight)
    gate = 2 * torch.sigmoid(x @ layer.spatial.weight[:, None] + layer.spatial.bias)
    torch.testing.assert_close(layer(x), (bits @ weight.T) * gate + layer.bias + x, atol=1e-5, rtol=1e-5)


def test_only_inner_layers_that_keep_the_width_skip():
    x = torch.randn(4, 16)
    for inner, outputs, skips in [(True, 16, True), (False, 16, False), (True, 32, False)]:
        assert ScalesLinear(16, outputs, inner=inner).has_skip is skips
    assert not ScalesLinear(16, 16, inner=True, skip=False).has_skip
    layer = ScalesLinear(16, 16, inner=True)
    with torch.no_grad():
        layer.scale.zero_()
    assert torch.equal(layer(x), x)


def test_scales_linear_starts_with_a_small_product():
    torch.manual_seed(4)
    layer, x = ScalesLinear(64, 64, start=0.2), torch.randn(2000, 64)
    layer.binarize.calibrate(x)
    layer.spatial = None
    assert layer(x).std().item() == pytest.approx(0.2 * x.abs().mean().item(), rel=0.15)


def test_counts_of_a_scales_linear():
    layer = ScalesLinear(60, 120)
    assert layer.multiplications == 120 + 60 + 120
    assert layer.derived_parameters == 0
    assert BinaryLinear(60, 120).derived_parameters == 120
