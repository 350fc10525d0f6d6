"""What a run trains on."""

from __future__ import annotations

import torch
from torch import nn

from scales_cli.errors import UsageError
from scales_cli.layers.binary_conv import BinaryConv2d
from scales_cli.layers.binary_layer import BinaryLayer
from scales_cli.training import sign_convolution


def choose_device(name: str) -> torch.device:
    """ "auto" is a GPU where there is one; raises `UsageError` for a device torch does not have."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # which "meta" has none of
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"torch has no device {name!r} here", "use --device cpu") from error
    return device


def use_fast_products(network: nn.Module, device: torch.device) -> None:
    """Lets binary layers multiply bfloat16, or convolutions whole numbers of 8 bits, where that is faster."""
    in_bfloat16 = bfloat16_pays(device)
    in_bytes = device.type == "cpu" and not in_bfloat16 and sign_convolution.is_faster_here()
    for layer in network.modules():
        if isinstance(layer, BinaryLayer) and in_bfloat16:
            layer.compute_dtype = torch.bfloat16
        elif isinstance(layer, BinaryConv2d) and in_bytes:
            layer.convolution = sign_convolution.convolve_signs


def bfloat16_pays(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def device_name(device: torch.device) -> str:
    """As the model card names it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"
