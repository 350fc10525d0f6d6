import pytest
import torch

from scales_cli.layers.binarize import mean_magnitude, sign
from scales_cli.layers.binary_linear import BiBERTLinear, BinaryLinear, ScalesLinear, ste_sign_clipped
from scales_cli.layers.families import FAMILIES

WITH_LINEAR = sorted(name for name, layers in FAMILIES.items() if layers.linear)


@pytest.mark.parametrize("name", WITH_LINEAR)
@pytest.mark.parametrize(("inputs", "outputs"), [(60, 60), (60, 120), (7, 3)])
def test_linears_map_tokens_and_train_every_parameter(name, inputs, outputs):
    torch.manual_seed(0)
    layer = FAMILIES[name].linear(inputs, outputs)
    x = torch.randn(2, 5, 4, inputs, requires_grad=True)
    out = layer(x)
    out.square().mean().backward()
    assert out.shape == (2, 5, 4, outputs)
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert x.grad.isfinite().all()


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


def test_binary_linear_scales_each_output_by_its_mean_magnitude():
    torch.manual_seed(2)
    layer, x = BinaryLinear(20, 30), torch.randn(4, 20)
    expected = sign(x) @ (mean_magnitude(layer.weight)[:, None] * sign(layer.weight)).T + layer.bias
    torch.testing.assert_close(layer(x), expected)


def test_bibert_linear_takes_the_mean_from_its_weights():
    torch.manual_seed(3)
    layer, x = BiBERTLinear(20, 30), torch.randn(4, 20)
    with torch.no_grad():
        layer.weight.add_(torch.randn(30, 1))  # makes no difference
    centred = layer.weight - layer.weight.mean(dim=1, keepdim=True)
    expected = sign(x) @ (centred.abs().mean(dim=1, keepdim=True) * sign(centred)).T
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


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


def test_clipped_sign_passes_gradients_inside_the_window_only():
    x = torch.tensor([-1.5, -0.5, 0.0, 0.5, 1.5], requires_grad=True)
    out = ste_sign_clipped(x)
    out.sum().backward()
    assert out.tolist() == [-1, -1, 1, 1, 1]
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_counts_of_a_scales_linear():
    layer = ScalesLinear(60, 120)
    assert layer.multiplications == 120 + 60 + 120
    assert layer.derived_parameters == 0
    assert BinaryLinear(60, 120).derived_parameters == 120
