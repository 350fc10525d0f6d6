"""Operations and parameters of a network, by the rule of the binary super-resolution papers.

    operations = full-precision MACs + binary MACs / 64          for an LR picture of 320 x 180, at every scale
    parameters = full-precision parameters + binary parameters / 32

`count` takes a network's parts as the published tables do: of a convolutional one its convolutions, whose biases count
where they are full precision; of a Transformer all parameters, and the products of attention. Scales, thresholds, gates
and activations are left out; `count_everything` adds them. 8 and 16 bits count as full precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scales_cli.config import NetworkSpec

if TYPE_CHECKING:
    from scales_cli.networks.base import Network

LR_PIXELS = 320 * 180


@dataclass(frozen=True)
class Cost:
    operations: float
    parameters: float


class Part(Protocol):
    """`operations` are for each LR pixel."""

    @property
    def operations(self) -> float: ...

    @property
    def parameters(self) -> float: ...


@dataclass(frozen=True)
class Conv:
    """A convolution, of kernel 1 a linear layer, that runs `times` for each LR pixel.

    A transposed one, too, is counted by what each input adds. `bias` is by default that of full precision only.
    """

    inputs: int
    outputs: int
    kernel: int
    binary: bool = False
    bias: bool | None = None
    times: int = 1

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs * self.kernel**2

    @property
    def operations(self) -> float:
        return self.times * self.weights / (64 if self.binary else 1)

    @property
    def parameters(self) -> float:
        has_bias = not self.binary if self.bias is None else self.bias
        return self.weights / (32 if self.binary else 1) + has_bias * self.outputs


@dataclass(frozen=True)
class Norm:
    """A normalization's factors and summands."""

    channels: int
    operations: float = 0

    @property
    def parameters(self) -> float:
        return 2 * self.channels


@dataclass(frozen=True)
class Attention:
    """The two products of each token with `keys` others, and the table of position biases."""

    channels: int
    keys: int
    table: int

    @property
    def operations(self) -> float:
        return 2 * self.keys * self.channels

    @property
    def parameters(self) -> float:
        return self.table


def count(parts: Iterable[Part]) -> Cost:
    parts = list(parts)
    return Cost(LR_PIXELS * sum(part.operations for part in parts), sum(part.parameters for part in parts))


def count_everything(network: Network) -> Cost:
    """Also every other parameter, learned or derived, and each multiplication by one at each position.

    Normalizations count as they run, as one factor and one summand; additions, comparisons, the pooling and the bicubic
    picture, which is the same for all, do not count.
    """
    operations = count(parts_of(network.spec)).operations
    binary = [module for module in network.modules() if hasattr(module, "derived_parameters")]
    layers = [module for module in network.modules() if hasattr(module, "multiplications")]
    operations += LR_PIXELS * sum(layer.multiplications for layer in layers)
    parameters = sum(value.numel() for value in network.parameters())
    bits = sum(module.weight.numel() for module in binary)
    derived = sum(module.derived_parameters for module in binary)
    return Cost(operations, parameters - bits + bits / 32 + derived)


def parts_of(spec: NetworkSpec) -> list[Part]:
    """Head, body and tail of a network; `spec.conv` says whether the body is binary."""
    head, tail = Conv(spec.inputs, spec.n_feats, 3), Conv(spec.n_feats, spec.outputs, 3)
    body = BODIES[spec.backbone](spec, **spec.dimensions)
    return [head, *body, *(hat_tail(spec) if spec.backbone == "hat" else [tail])]


def srresnet(spec: NetworkSpec) -> list[Part]:
    return [_conv(spec) for _ in range(spec.n_convs)]


def rdn(spec: NetworkSpec, n_layers: int, growth: int) -> list[Part]:
    dense: list[Part] = [_conv(spec, spec.n_feats + i * growth, growth) for i in range(n_layers)]
    block = [*dense, _conv(spec, spec.n_feats + n_layers * growth, kernel=1)]
    return [_conv(spec), *block * spec.n_blocks, _conv(spec, spec.n_blocks * spec.n_feats, kernel=1), _conv(spec)]


def rcan(spec: NetworkSpec, n_layers: int, reduction: int) -> list[Part]:
    """Without channel attention, as published counts are."""
    return [_conv(spec) for _ in range((2 * n_layers + 1) * spec.n_blocks)]


def swinir(spec: NetworkSpec, n_layers: int, n_heads: int, window: int, mlp_ratio: int) -> list[Part]:
    layer = [*_attention(spec, n_heads, window, window), *_mlp(spec, mlp_ratio)]
    return _transformer(spec, layer * n_layers)


def hat(
    spec: NetworkSpec,
    n_layers: int,
    n_heads: int,
    window: int,
    mlp_ratio: int,
    compress: int,
    squeeze: int,
    overlap: float,
) -> list[Part]:
    n_feats, narrow, squeezed = spec.n_feats, spec.n_feats // compress, spec.n_feats // squeeze
    channels: list[Part] = [Conv(n_feats, narrow, 3), Conv(narrow, n_feats, 3)]
    channels += [Conv(n_feats, squeezed, 1, times=0), Conv(squeezed, n_feats, 1, times=0)]  # once a picture
    hybrid = [*_attention(spec, n_heads, window, window), *channels, *_mlp(spec, mlp_ratio)]
    overlapping = [*_attention(spec, n_heads, window, window + int(window * overlap)), *_mlp(spec, mlp_ratio)]
    return _transformer(spec, hybrid * n_layers + overlapping)


def hat_tail(spec: NetworkSpec) -> list[Part]:
    feats = 64
    parts: list[Part] = [Conv(spec.n_feats, feats, 3)]
    side = 1
    for step in [3] if spec.scale == 3 else [2] * (spec.scale // 2):
        parts.append(Conv(feats, feats * step**2, 3, times=side**2))
        side *= step
    return [*parts, Conv(feats, spec.colors, 3, times=side**2)]


def fsrcnn(d: int = 56, s: int = 12, m: int = 4) -> list[Part]:
    """Of every scale: the transposed convolution has one output channel."""
    return [Conv(1, d, 5), Conv(d, s, 1), *[Conv(s, s, 3)] * m, Conv(s, d, 1), Conv(d, 1, 9)]


def espcn(scale: int) -> list[Part]:
    return [Conv(1, 64, 5), Conv(64, 32, 3), Conv(32, scale**2, 3)]


BODIES: dict[str, Callable[..., list[Part]]] = {
    "srresnet": srresnet,
    "rdn": rdn,
    "rcan": rcan,
    "swinir": swinir,
    "hat": hat,
}


def _conv(spec: NetworkSpec, inputs: int | None = None, outputs: int | None = None, kernel: int = 3) -> Conv:
    """One of the body's convolutions."""
    return Conv(inputs or spec.n_feats, outputs or spec.n_feats, kernel, spec.conv != "float")


def _linear(spec: NetworkSpec, inputs: int, outputs: int) -> Conv:
    return Conv(inputs, outputs, 1, spec.conv != "float", bias=True)


def _attention(spec: NetworkSpec, n_heads: int, window: int, reach: int) -> list[Part]:
    """A normalization, query, key, value and projection, and attention from windows to squares of side `reach`."""
    n_feats = spec.n_feats
    products = Attention(n_feats, reach**2, n_heads * (window + reach - 1) ** 2)
    return [Norm(n_feats), *[_linear(spec, n_feats, n_feats)] * 4, products]


def _mlp(spec: NetworkSpec, ratio: int) -> list[Part]:
    n_feats = spec.n_feats
    return [Norm(n_feats), _linear(spec, n_feats, ratio * n_feats), _linear(spec, ratio * n_feats, n_feats)]


def _transformer(spec: NetworkSpec, layers: list[Part]) -> list[Part]:
    """The groups' convolutions count with a bias, whose place the shift of a binary one's activation takes."""
    conv = Conv(spec.n_feats, spec.n_feats, 3, spec.conv != "float", bias=True)
    return [Norm(spec.n_feats), *[*layers, conv] * spec.n_blocks, Norm(spec.n_feats), conv]
