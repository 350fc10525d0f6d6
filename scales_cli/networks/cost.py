"""Operations and parameters of a network with all that published counts leave out; see `backbones.cost`."""

from __future__ import annotations

from scales_cli.backbones.cost import LR_PIXELS, Cost, count
from scales_cli.networks.base import Network


def count_everything(network: Network) -> Cost:
    """What `count` does and every other parameter, learned or derived, and each multiplication by one at each position.

    Batch normalizations count as they run, as one factor and one summand; E2FIF's LeakyReLU counts on every second
    layer, as in SRResNet. Additions, comparisons, pooling, LayerNorm, channel attention, gain and scales of an 8-bit
    tail, and the bicubic picture do not count.
    """
    operations = count(network.spec.parts()).operations
    binary = [module for module in network.modules() if hasattr(module, "derived_parameters")]
    layers = [module for module in network.modules() if hasattr(module, "multiplications")]
    operations += LR_PIXELS * sum(layer.multiplications for layer in layers)
    parameters = sum(value.numel() for value in network.parameters())
    bits = sum(module.weight.numel() for module in binary)
    derived = sum(module.derived_parameters for module in binary)
    return Cost(operations, parameters - bits + bits / 32 + derived)
