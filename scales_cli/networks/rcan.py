"""RCAN, the residual channel attention network (Zhang et al., ECCV 2018), at the size that E2FIF binarizes."""

from __future__ import annotations

from torch import Tensor, nn

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.layers.families import Layers
from scales_cli.networks.base import Network
from scales_cli.networks.blocks import ChannelAttention


class AttentionBlock(nn.Module):
    """x + attention . (conv(conv(x)) - x): channel attention weighs what the two convolutions added to the stream.

    Their own skips are in them. As published, attention would weigh the stream as well and a skip be added to that,
    which makes a stream that already skips each convolution grow with every block.
    """

    def __init__(self, n_feats: int, reduction: int, layers: Layers) -> None:
        super().__init__()
        first, second = layers.conv(n_feats), layers.conv(n_feats)
        between = [] if first.stream_slope is None else [nn.LeakyReLU(first.stream_slope)]
        self.convs = nn.Sequential(first, *between, second)
        self.attention = ChannelAttention(n_feats, reduction)

    def forward(self, x: Tensor) -> Tensor:
        added = self.convs(x) - x
        return x + self.attention(added) * added


class RCAN(Network):
    """`Network` whose body is n_blocks groups of n_layers attention blocks and a convolution: 10 by 5 in E2FIF.

    Attention is full precision. The groups' long skips are the stream itself, which passes every layer.
    """

    def __init__(self, spec: NetworkSpec, layers: Layers, n_layers: int, reduction: int) -> None:
        def build_body() -> nn.Sequential:
            body = nn.Sequential()
            for _ in range(spec.n_blocks):
                body.extend(AttentionBlock(spec.n_feats, reduction, layers) for _ in range(n_layers))
                body.append(layers.conv(spec.n_feats))
            return body

        super().__init__(spec, build_body)
