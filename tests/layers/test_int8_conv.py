"""The 8-bit convolution against whole numbers in numpy, and what it learns."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from scales_cli.layers.int8_conv import Int8Conv2d


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = Int8Conv2d(64, 6)
    with torch.no_grad():
        layer.gain.uniform_(10, 60)
        layer.weight[2] = 0
    return layer.eval()


def in_integers(layer, x):
    """`layer` on [C, H, W], its sums in int64."""
    gain = layer.gain.numpy()
    weight, scale = (value.numpy() for value in layer.rounded())
    assert np.array_equal(weight, weight.astype(np.int8))
    steps = np.clip(np.rint(x * gain[:, None, None]), -127, 127).astype(np.int64)
    padded = np.pad(steps, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    sums = np.einsum("cyxij,ocij->oyx", windows, weight.astype(np.int64))
    return sums, sums * scale[:, None, None] + layer.bias.numpy()[:, None, None]


def test_whole_numbers_are_those_of_integers(layer):
    layer.requires_grad_(False)
    x = torch.randn(64, 7, 9) * 3
    x[:3, 0] = torch.tensor([0.5, 1.5, -2.5]).view(3, 1) / layer.gain[:3, None]  # halves
    x[4, 1], x[5, 1] = 1e6, -1e6
    sums, expected = in_integers(layer, x.numpy())
    np.testing.assert_allclose(layer(x[None])[0].numpy(), expected, rtol=1e-6, atol=1e-6)
    layer.bias.zero_()
    layer.rounded = lambda: (Int8Conv2d.rounded(layer)[0], torch.ones(6))
    assert np.array_equal(layer(x[None])[0].numpy(), sums)


def test_weights_fill_their_range(layer):
    layer.requires_grad_(False)
    weight, scale = layer.rounded()
    largest = weight.abs().amax(dim=(1, 2, 3))
    assert largest.tolist() == [64, 64, 0, 64, 64, 64]
    restored = weight * scale.view(-1, 1, 1, 1) * layer.gain.view(-1, 1, 1)
    steps = scale.view(-1, 1, 1, 1) * layer.gain.view(-1, 1, 1)
    assert ((restored - layer.weight).abs() <= 0.5001 * steps).all()


def test_gradients_pass_as_if_nothing_were_rounded(layer):
    """But for inputs beyond the peak."""
    x = torch.randn(2, 64, 7, 9).requires_grad_()
    inside = (x.detach() * layer.gain.view(-1, 1, 1)).abs() <= 127
    assert 0.5 < inside.float().mean() < 0.999
    plain = x.detach().clone().requires_grad_()
    rounded, scale = (value.detach() for value in layer.rounded())
    weight = (rounded * scale.view(-1, 1, 1, 1) * layer.gain.view(-1, 1, 1)).requires_grad_()
    kept = torch.round((plain * layer.gain.view(-1, 1, 1)).clamp(-127, 127)) / layer.gain.view(-1, 1, 1)
    seen = kept.detach() + (plain - plain.detach())
    direction = torch.randn(2, 6, 7, 9)
    (functional.conv2d(seen, weight, layer.bias, padding=1) * direction).sum().backward()
    layer.bias.grad = None
    (layer(x) * direction).sum().backward()
    torch.testing.assert_close(x.grad, plain.grad * inside, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.weight.grad, weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.bias.grad, direction.sum(dim=(0, 2, 3)))


def test_calibration_sets_the_peak(layer):
    x = torch.randn(2, 64, 5, 5)
    x[:, 7] = 0
    layer.calibrate(x)
    expected = x.abs().amax(dim=(0, 2, 3)).clamp(min=1e-3)
    torch.testing.assert_close(127 / layer.gain, expected)


def test_the_peak_rises_at_once_and_falls_slowly_in_training_only(layer):
    high, low = torch.full((1, 64, 3, 3), -20.0), torch.full((1, 64, 3, 3), 2.0)
    before = layer.gain.clone()
    layer(high)
    layer.train()
    layer(high)
    assert torch.equal(layer.gain, before)  # until it is told to
    layer.follow()
    torch.testing.assert_close(127 / layer.gain, torch.full((64,), 20.0))
    layer(low)
    layer.follow()
    torch.testing.assert_close(127 / layer.gain, torch.full((64,), 0.999 * 20 + 0.001 * 2))
    for _ in range(8000):
        layer.follow()
    torch.testing.assert_close(layer.gain, torch.full((64,), 127 / 2), rtol=1e-2, atol=0)
    assert set(layer.state_dict()) == {"weight", "bias", "gain"}
