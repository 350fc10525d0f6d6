import pytest
import torch

from scales_cli.layers.binary_conv import BinaryConv2d
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


def test_bfloat16_convolution_of_signs_is_exact():
    torch.manual_seed(3)
    layer = BinaryConv2d(64)
    bits = torch.where(torch.rand(1, 64, 9, 9) < 0.5, 1.0, -1.0)
    exact = layer.convolve(bits)
    layer.compute_dtype = torch.bfloat16
    assert torch.equal(layer.convolve(bits), exact)
