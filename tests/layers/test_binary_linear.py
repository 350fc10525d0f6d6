import pytest
import torch

from scales_cli.layers.binarize import mean_magnitude, sign
from scales_cli.layers.binary_linear import BinaryLinear
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


def test_binary_linear_scales_each_output_by_its_mean_magnitude():
    torch.manual_seed(2)
    layer, x = BinaryLinear(20, 30), torch.randn(4, 20)
    expected = sign(x) @ (mean_magnitude(layer.weight)[:, None] * sign(layer.weight)).T + layer.bias
    torch.testing.assert_close(layer(x), expected)
