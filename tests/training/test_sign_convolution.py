"""Whole numbers of 8 bits give what float32 gives: exactly forwards, nearly backwards."""

import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scales_cli.engine._native")

from torch.nn import functional  # noqa: E402

from scales_cli.engine import native_module  # noqa: E402
from scales_cli.errors import UsageError  # noqa: E402
from scales_cli.layers.binary_conv import BinaryConv2d  # noqa: E402
from scales_cli.training.device import use_fast_products  # noqa: E402
from scales_cli.training.sign_convolution import convolve_signs  # noqa: E402

SHAPES = [
    ((4, 64, 16, 16), 64, 3),
    ((2, 5, 7, 9), 6, 3),
    ((1, 3, 8, 2), 4, 5),
    ((2, 16, 6, 6), 16, 1),
    ((1, 1, 1, 1), 1, 3),
]


def products(shape, features, size):
    """Of random signs by whole numbers, and by float32."""
    torch.manual_seed(0)
    bits, weight = (
        torch.where(torch.rand(*sizes) < 0.5, 1.0, -1.0).requires_grad_()
        for sizes in (shape, (features, shape[1], size, size))
    )
    return (bits, weight), convolve_signs(bits, weight), functional.conv2d(bits, weight, padding=size // 2)


@pytest.mark.parametrize(("shape", "features", "size"), SHAPES)
def test_sums_are_exact_and_gradients_near(shape, features, size):
    inputs, fast, exact = products(shape, features, size)
    assert torch.equal(fast, exact)
    gradient = 1e-6 * torch.randn_like(exact)
    for found, expected in zip(
        torch.autograd.grad(fast, inputs, gradient), torch.autograd.grad(exact, inputs, gradient), strict=True
    ):
        assert found.shape == expected.shape
        assert (found - expected).norm() < 1e-4 * expected.norm()


def test_gradients_of_trained_networks_are_near():
    """Half of their numbers are below 1/50 of the deviation, and the largest 50 to 150 times it."""
    inputs, fast, exact = products((16, 64, 32, 32), 64, 3)
    gradient = (
        torch.randn_like(exact) * torch.exp(2 * torch.randn_like(exact)) * torch.exp(2 * torch.randn(16, 1, 32, 32))
    )
    sizes = gradient.abs() / gradient.square().mean().sqrt()
    assert sizes.median() < 0.02
    assert sizes.max() > 50
    for found, expected in zip(
        torch.autograd.grad(fast, inputs, gradient), torch.autograd.grad(exact, inputs, gradient), strict=True
    ):
        assert (found - expected).norm() < 0.005 * expected.norm()


def test_whole_numbers_up_to_32000_are_exact():
    inputs, fast, exact = products((2, 8, 6, 6), 8, 3)
    gradient = torch.randint(-32_000, 32_001, exact.shape).float()
    gradient[0, 0, 0, 0] = 254 * 127  # in steps of which everything is
    for found, expected in zip(
        torch.autograd.grad(fast, inputs, gradient), torch.autograd.grad(exact, inputs, gradient), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=4)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_odd_gradients_stay_so(value):
    inputs, fast, _ = products((1, 4, 5, 5), 4, 3)
    for found in torch.autograd.grad(fast, inputs, torch.full_like(fast, value)):
        assert not found.any() if value == 0 else not found.isfinite().all()


def test_a_large_gradient_does_not_hide_small_ones():
    inputs, fast, _ = products((1, 4, 20, 20), 4, 3)
    gradient = torch.zeros_like(fast)
    gradient[0, 0, 5, 5], gradient[0, 0, 12, 12] = 1, 1e-3
    of_bits, _ = torch.autograd.grad(fast, inputs, gradient)
    weight = inputs[1].detach()[0]
    torch.testing.assert_close(of_bits[0, :, 4:7, 4:7], weight)
    torch.testing.assert_close(of_bits[0, :, 11:14, 11:14], 1e-3 * weight, rtol=0.02, atol=0)


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_any_number_of_threads_gives_the_same(threads):
    """Even if they take turns all the time: a hundred times."""
    before, interval = torch.get_num_threads(), sys.getswitchinterval()
    inputs, fast, _ = products((8, 8, 3, 6), 8, 3)
    gradient = torch.randn_like(fast)
    expected = torch.autograd.grad(fast, inputs, gradient)
    try:
        torch.set_num_threads(threads)
        sys.setswitchinterval(1e-6)
        for _ in range(100):
            found = convolve_signs(*inputs)
            assert torch.equal(found, fast)
            assert all(map(torch.equal, torch.autograd.grad(found, inputs, gradient), expected))
    finally:
        torch.set_num_threads(before)
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("faster", [False, True])
def test_layers_take_the_fastest(monkeypatch, faster, bfloat16):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr("scales_cli.engine._native.byte_products_pay", lambda: faster)
    layer, x = BinaryConv2d(8), torch.randn(2, 8, 6, 6)
    expected = layer(x)
    use_fast_products(layer, torch.device("cpu"))
    assert layer.compute_dtype == (torch.bfloat16 if bfloat16 else torch.float32)
    assert layer.convolution is (convolve_signs if faster and not bfloat16 else None)
    assert torch.equal(layer(x), expected)


def test_float32_is_taken_without_the_engine(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr("scales_cli.engine.native_module._loaded", native_module._loaded.__wrapped__)  # which is kept
    monkeypatch.setattr("importlib.import_module", missing)
    layer = BinaryConv2d(8)
    use_fast_products(layer, torch.device("cpu"))
    assert layer.convolution is None


def test_kernels_that_do_not_exist_are_an_error(monkeypatch):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    monkeypatch.setenv("SCALES_ISA", "sse9")
    with pytest.raises(UsageError, match="sse9"):
        use_fast_products(BinaryConv2d(8), torch.device("cpu"))
