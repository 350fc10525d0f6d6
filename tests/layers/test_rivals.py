"""The rivals' layers against their formulas, written out with plain torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from scales_cli.layers.bbcu import BBCUConv2d
from scales_cli.layers.btm import BTMConv2d, ste_sign_cubic
from scales_cli.layers.e2fif import E2FIFConv2d
from scales_cli.layers.reactnet import ReActNetConv2d
from scales_cli.layers.scales import ScalesConv2d


@pytest.fixture
def x():
    torch.manual_seed(5)
    return torch.randn(3, 64, 6, 7)


def randomized(layer):
    """Every parameter but the weights away from its start, so that none can be left out unnoticed."""
    torch.manual_seed(6)
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.dim() < 4:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def plus_minus(x):
    return torch.where(x >= 0, 1.0, -1.0)


def column(vector):
    return vector.view(-1, 1, 1)


def convolve(bits, weight, *, scaled):
    out = functional.conv2d(bits, plus_minus(weight), padding=1)
    return out * column(weight.abs().mean(dim=(1, 2, 3))) if scaled else out


def rprelu(z, activation):
    z = z - column(activation.shift_in)
    return torch.where(z >= 0, z, column(activation.slope) * z) + column(activation.shift_out)


def normalize(z, norm):
    mean, variance = z.mean(dim=(0, 2, 3)), z.var(dim=(0, 2, 3), unbiased=False)
    return (z - column(mean)) / column((variance + norm.eps).sqrt()) * column(norm.weight) + column(norm.bias)


def test_e2fif_is_its_formula(x):
    layer = randomized(E2FIFConv2d(64))
    expected = x + normalize(convolve(plus_minus(x), layer.weight, scaled=False), layer.norm)
    torch.testing.assert_close(layer(x), expected, atol=1e-4, rtol=1e-4)


def test_reactnet_is_its_formula(x):
    layer = randomized(ReActNetConv2d(64))
    branch = convolve(plus_minus(x + column(layer.shift)), layer.weight, scaled=True)
    expected = rprelu(x + normalize(branch, layer.norm), layer.activation)
    torch.testing.assert_close(layer(x), expected, atol=1e-4, rtol=1e-4)


def test_bbcu_is_its_formula(x):
    layer = randomized(BBCUConv2d(64))
    branch = convolve(plus_minus(x + column(layer.shift)), layer.weight, scaled=True)
    torch.testing.assert_close(layer(x), x + rprelu(branch, layer.activation), atol=1e-5, rtol=1e-5)


def test_btm_is_its_formula(x):
    layer = randomized(BTMConv2d(64))
    branch = convolve(plus_minus(x), layer.weight, scaled=True)
    activated = torch.where(branch >= 0, branch, column(layer.activation.weight) * branch)
    torch.testing.assert_close(layer(x), x + activated, atol=1e-5, rtol=1e-5)


def test_ste_sign_cubic_has_the_slope_it_says():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.25, 1.5], requires_grad=True)
    out = ste_sign_cubic(x)
    out.sum().backward()
    assert out.tolist() == [-1, -1, 1, 1, 1]
    torch.testing.assert_close(x.grad, torch.tensor([0.0, 1.125, 1.5, 1.40625, 0.0]))


def test_normalized_branches_start_small(x):
    branch = E2FIFConv2d(64)(x) - x
    assert 0.05 < (branch.std() / x.std()).item() < 0.15


def test_scales_without_its_parts_is_the_rest_of_the_layer(x):
    layer = randomized(ScalesConv2d(64, layerwise=False, spatial=False, channel=False))
    branch = convolve(plus_minus(x), layer.weight, scaled=False) * column(layer.scale)
    torch.testing.assert_close(layer(x), x + rprelu(branch, layer.activation), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("part", ["layerwise", "spatial", "channel"])
def test_scales_has_no_parameter_of_a_part_that_is_off(part):
    whole, without = ScalesConv2d(64), ScalesConv2d(64, **{part: False})
    prefix = {"layerwise": "binarize."}.get(part, f"{part}.")
    missing = dict(whole.named_parameters()).keys() - dict(without.named_parameters()).keys()
    assert missing == {name for name, _ in whole.named_parameters() if name.startswith(prefix)}
    assert missing
