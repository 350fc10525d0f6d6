import pytest
import torch
from torch.nn import functional

from scales_cli.layers.binary_conv import BinaryConv2d, ScalesConv2d
from scales_cli.layers.families import FAMILIES


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize(("out_feats", "kernel_size"), [(32, 3), (64, 1), (96, 1)])
def test_convs_of_any_shape_skip_where_it_stays(name, out_feats, kernel_size):
    torch.manual_seed(0)
    layer = FAMILIES[name].conv(64, out_feats, kernel_size).eval()
    x = torch.randn(2, 64, 6, 5)
    out = layer(x)
    assert out.shape == (2, out_feats, 6, 5)
    if out_feats == 64 and name != "reactnet":  # whose activation is on the stream
        assert (out - x).std() < x.std()


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_convs_keep_the_shape_and_train_every_parameter(name):
    torch.manual_seed(0)
    layer = FAMILIES[name].conv(64)
    x = torch.randn(2, 64, 6, 5, requires_grad=True)
    out = layer(x)
    out.square().mean().backward()
    assert out.shape == x.shape
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert x.grad.isfinite().all()


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


def test_bfloat16_convolution_of_signs_is_exact():
    torch.manual_seed(3)
    layer = BinaryConv2d(64)
    bits = torch.where(torch.rand(1, 64, 9, 9) < 0.5, 1.0, -1.0)
    exact = layer.convolve(bits)
    layer.compute_dtype = torch.bfloat16
    assert torch.equal(layer.convolve(bits), exact)
