import pytest
import torch

from scales_cli.layers.binarize import approx_sign
from scales_cli.layers.rescaling import ChannelwiseRescaling, LayerwiseScalingFactor, SpatialRescaling


@pytest.fixture
def binarize():
    layer = LayerwiseScalingFactor(3).double()
    with torch.no_grad():
        layer.alpha.fill_(0.7)
        layer.beta.copy_(torch.tensor([-0.2, 0.0, 0.3]))
    return layer


def test_layerwise_factor_thresholds_per_channel(binarize):
    x = torch.tensor([-0.2, -0.1, 0.29]).view(1, 3, 1, 1).double()
    assert binarize(x).flatten().tolist() == [1, -1, -1]


@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_layerwise_factor_gradients_match_finite_differences_of_the_surrogate(sharpness, binarize):
    """x and beta: derivatives of alpha F(sharpness (x - beta) / alpha), away from the corners of F'."""
    torch.manual_seed(0)
    binarize.sharpness.fill_(sharpness)
    x = (torch.randn(2, 3, 4, 5, dtype=torch.float64) * 0.5).requires_grad_()
    upstream = torch.randn_like(x)
    (binarize.factor() * binarize(x) * upstream).sum().backward()

    def surrogate(shift_x, shift_beta):
        u = (x.detach() + shift_x - binarize.beta.detach().view(-1, 1, 1) - shift_beta) / 0.7
        return 0.7 * approx_sign(sharpness * u) * upstream

    eps = 1e-6
    numeric_x = (surrogate(eps, 0) - surrogate(-eps, 0)) / (2 * eps)
    numeric_beta = (surrogate(0, eps) - surrogate(0, -eps)).sum(dim=(0, 2, 3)) / (2 * eps)
    torch.testing.assert_close(x.grad, numeric_x, atol=1e-8, rtol=0)
    torch.testing.assert_close(binarize.beta.grad, numeric_beta, atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("u", "expected"),
    [(-1.5, -1.0), (-0.25, -2 * 0.0625 + 0.5 - 1), (0.25, 2 * 0.0625 - 0.5 + 1), (1.5, 1.0)],
)
def test_layerwise_factor_gradient_of_alpha_is_the_table(u, expected):
    """sign(u) - u F'(u), in each of its four pieces."""
    layer = LayerwiseScalingFactor(1)
    x = torch.full((1, 1, 1, 1), u)
    (layer.factor() * layer(x)).sum().backward()
    assert layer.alpha.grad.item() == pytest.approx(expected)


def test_layerwise_factor_calibrates_to_twice_the_mean_magnitude(binarize):
    x = torch.randn(2, 3, 8, 8).double()
    binarize.calibrate(x)
    expected = 2 * (x - binarize.beta.view(-1, 1, 1)).abs().mean()
    assert binarize.factor().item() == pytest.approx(expected.item())


def test_layerwise_factor_stays_positive(binarize):
    with torch.no_grad():
        binarize.alpha.fill_(-1.0)
    assert binarize.factor().item() > 0
    (binarize.factor() * binarize(torch.ones(1, 3, 1, 1).double())).sum().backward()
    assert binarize.alpha.grad.item() == 3  # so that it can rise again


def test_spatial_rescaling_is_a_pointwise_convolution_and_sigmoid():
    layer = SpatialRescaling(5, gate_factor=1.5)
    x = torch.randn(2, 5, 4, 3)
    conv = torch.nn.functional.conv2d(x, layer.weight.view(1, 5, 1, 1), layer.bias.view(1))
    torch.testing.assert_close(layer(x), 1.5 * torch.sigmoid(conv))


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_channelwise_rescaling_is_a_conv1d_over_pooled_channels(kernel):
    layer = ChannelwiseRescaling(kernel)
    x = torch.randn(2, 9, 4, 3)
    pooled = torch.nn.functional.adaptive_avg_pool2d(x, 1).view(2, 1, 9)
    conv = torch.nn.functional.conv1d(pooled, layer.weight.view(1, 1, kernel), padding=kernel // 2)
    torch.testing.assert_close(layer(x), 2 * torch.sigmoid(conv).view(2, 9, 1, 1))


def test_channelwise_rescaling_refuses_an_even_kernel():
    with pytest.raises(ValueError, match="odd"):
        ChannelwiseRescaling(4)
