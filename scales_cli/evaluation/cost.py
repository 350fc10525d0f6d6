"""Operations and parameters of a network, by the rule of the binary super-resolution papers.

    operations = full-precision MACs + binary MACs / 64          for an LR picture of 320 x 180, at every scale
    parameters = full-precision parameters + binary parameters / 32

`count` takes convolutions only: weights, and the biases of full-precision ones. Scales, thresholds, gates and
activations are left out, as in the published tables; `count_everything` adds them. 8 and 16 bits count as
full precision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scales_cli.config import NetworkSpec

if TYPE_CHECKING:
    from scales_cli.networks.srresnet import SRResNet

LR_PIXELS = 320 * 180


@dataclass(frozen=True)
class Conv:
    """A convolution that runs once for each LR pixel; a transposed one, too, counted by what each input adds."""

    inputs: int
    outputs: int
    kernel: int
    binary: bool = False

    @property
    def macs(self) -> int:
        """For each LR pixel; also the number of weights."""
        return self.inputs * self.outputs * self.kernel**2


@dataclass(frozen=True)
class Cost:
    operations: float
    parameters: float


def count(convs: Iterable[Conv]) -> Cost:
    operations = parameters = 0.0
    for conv in convs:
        operations += LR_PIXELS * conv.macs / (64 if conv.binary else 1)
        parameters += conv.macs / 32 if conv.binary else conv.macs + conv.outputs
    return Cost(operations, parameters)


def count_everything(network: SRResNet) -> Cost:
    """Also every other parameter, learned or derived, and each multiplication by one at each position.

    Normalizations count as they run, as one factor and one summand; additions, comparisons, the pooling and the bicubic
    picture, which is the same for all, do not count.
    """
    spec, operations = network.spec, count(srresnet(network.spec)).operations
    operations += LR_PIXELS * sum(getattr(layer, "multiplications", 0) for layer in network.body)
    parameters = float(sum(getattr(layer, "derived_parameters", 0) for layer in network.body))
    for name, value in network.named_parameters():
        binary = spec.conv != "float" and name.startswith("body.") and value.dim() == 4
        parameters += value.numel() / (32 if binary else 1)
    return Cost(operations, parameters)


def srresnet(spec: NetworkSpec) -> list[Conv]:
    """Head, body and tail; `spec.conv` says whether the body is binary."""
    feats, binary = spec.n_feats, spec.conv != "float"
    head, tail = Conv(spec.colors, feats, 3), Conv(feats, spec.colors * spec.scale**2, 3)
    return [head, *[Conv(feats, feats, 3, binary)] * spec.n_convs, tail]


def fsrcnn(d: int = 56, s: int = 12, m: int = 4) -> list[Conv]:
    """Of every scale: the transposed convolution has one output channel."""
    return [Conv(1, d, 5), Conv(d, s, 1), *[Conv(s, s, 3)] * m, Conv(s, d, 1), Conv(d, 1, 9)]


def espcn(scale: int) -> list[Conv]:
    return [Conv(1, 64, 5), Conv(64, 32, 3), Conv(32, scale**2, 3)]
