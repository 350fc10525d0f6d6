import torch

from scales_cli.layers.binarize import approx_sign, mean_magnitude, sign, ste_sign, ste_sign_identity


def test_sign_of_zero_is_plus_one():
    assert sign(torch.tensor([-0.5, -0.0, 0.0, 0.5])).tolist() == [-1, 1, 1, 1]


def test_approx_sign_is_the_paper_polynomial_in_each_piece():
    x = torch.tensor([-2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 2.0])
    expected = torch.tensor([-1.0, -1.0, 0.0625 - 0.5, 0.0, 0.5 - 0.0625, 1.0, 1.0])
    assert torch.equal(approx_sign(x), expected)


def test_ste_sign_is_exactly_binary_and_has_the_triangle_gradient():
    x = torch.linspace(-1.5, 1.5, 61, requires_grad=True)
    out = ste_sign(x)
    out.sum().backward()
    assert set(out.tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(x.grad, (2 - 2 * x.detach().abs()).clamp(min=0), atol=1e-6, rtol=0)


def test_ste_sign_identity_passes_gradients_of_large_weights():
    weight = torch.tensor([-3.0, 0.0, 2.0], requires_grad=True)
    (ste_sign_identity(weight) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert weight.grad.tolist() == [1, 2, 3]


def test_mean_magnitude_is_per_output_channel_and_detached():
    weight = torch.full((3, 2, 3, 3), 0.5, requires_grad=True)
    scale = mean_magnitude(weight * torch.tensor([1.0, -2.0, 4.0]).view(-1, 1, 1, 1))
    assert scale.tolist() == [0.5, 1.0, 2.0]
    assert not scale.requires_grad
