"""BiBERT's linear layer against its formula."""

import torch

from scales_cli.layers.bibert import BiBERTLinear, ste_sign_clipped
from scales_cli.layers.binarize import sign


def test_bibert_linear_takes_the_mean_from_its_weights():
    torch.manual_seed(3)
    layer, x = BiBERTLinear(20, 30), torch.randn(4, 20)
    with torch.no_grad():
        layer.weight.add_(torch.randn(30, 1))
    centred = layer.weight - layer.weight.mean(dim=1, keepdim=True)
    expected = sign(x) @ (layer.weight.abs().mean(dim=1, keepdim=True) * sign(centred)).T
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_clipped_sign_passes_gradients_inside_the_window_only():
    x = torch.tensor([-1.5, -0.5, 0.0, 0.5, 1.5], requires_grad=True)
    out = ste_sign_clipped(x)
    out.sum().backward()
    assert out.tolist() == [-1, -1, 1, 1, 1]
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
