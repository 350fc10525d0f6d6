"""HAT, the hybrid attention Transformer (Chen et al., CVPR 2023): window attention beside channel attention, and at the
end of each group attention over windows that overlap."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from scales_cli.backbones.hat import TAIL_FEATS, tail_steps
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.layers.families import Layers
from scales_cli.networks.base import Network, shrink
from scales_cli.networks.blocks import ChannelAttention
from scales_cli.networks.windows import (
    Attention,
    TransformerBody,
    TransformerGroup,
    TransformerLayer,
    WindowAttention,
    join_heads,
    merge,
    partition,
    split_heads,
)

CHANNEL_WEIGHT = 0.01  # of the channel attention branch


class ChannelBranch(nn.Module):
    """Two convolutions through few channels, weighed by channel attention, on tokens [B, H, W, C].

    Full precision: what passes between them is too narrow to be one bit.
    """

    def __init__(self, n_feats: int, compress: int, squeeze: int) -> None:
        super().__init__()
        if compress > n_feats:
            raise ValueError(f"{n_feats} channels cannot be a {compress}th")
        self.narrow = nn.Conv2d(n_feats, n_feats // compress, 3, padding=1)
        self.widen = nn.Conv2d(n_feats // compress, n_feats, 3, padding=1)
        self.attention = ChannelAttention(n_feats, squeeze)

    def forward(self, x: Tensor) -> Tensor:
        x = self.widen(functional.gelu(self.narrow(x.permute(0, 3, 1, 2))))
        return (self.attention(x) * x).permute(0, 2, 3, 1)


class HybridLayer(TransformerLayer):
    """A layer that mixes attention(x) + 0.01 channels(x)."""

    def __init__(
        self, n_feats: int, attention: nn.Module, channels: ChannelBranch, mlp_ratio: int, layers: Layers
    ) -> None:
        super().__init__(n_feats, attention, mlp_ratio, layers)
        self.channels = channels

    def mix(self, normed: Tensor) -> Tensor:
        return self.attention(normed) + CHANNEL_WEIGHT * self.channels(normed)


class OverlappingAttention(Attention):
    """Attention from each window to a larger one around it, zeros beyond the picture."""

    def __init__(self, n_feats: int, n_heads: int, window: int, overlap: float, layers: Layers) -> None:
        beyond = int(window * overlap)
        if beyond % 2:
            raise ValueError(f"windows of {window} reach {beyond} further, not as far on both sides")
        super().__init__(n_feats, n_heads, window, window + beyond, layers)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        _, height, width, _ = query.shape
        q = split_heads(partition(query, self.window), self.n_heads)
        k, v = (split_heads(self._around(item), self.n_heads) for item in (key, value))
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=self.bias()[None])
        return merge(join_heads(out), self.window, height, width)

    def _around(self, x: Tensor) -> Tensor:
        """[B, H, W, C] -> [B * windows, reach^2, C]."""
        batch, _, _, channels = x.shape
        padding = (self.reach - self.window) // 2
        columns = functional.unfold(x.permute(0, 3, 1, 2), self.reach, padding=padding, stride=self.window)
        return columns.view(batch, channels, self.reach**2, -1).permute(0, 3, 2, 1).flatten(0, 1)


class HAT(Network):
    """`Network` whose body is n_blocks hybrid groups; HAT_S is 6 by 6 with 144 channels.

    Its tail, too, is the published one: it enlarges in steps of 2 (or once by 3), with 64 channels at each resolution.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        layers: Layers,
        n_layers: int,
        n_heads: int,
        window: int,
        mlp_ratio: int,
        compress: int,
        squeeze: int,
        overlap: float,
    ) -> None:
        n_feats = spec.n_feats

        def build_layer(index: int) -> TransformerLayer:
            attention = WindowAttention(n_feats, n_heads, window, layers, shifted=index % 2 == 1)
            return HybridLayer(n_feats, attention, ChannelBranch(n_feats, compress, squeeze), mlp_ratio, layers)

        def build_group() -> TransformerGroup:
            overlapping = OverlappingAttention(n_feats, n_heads, window, overlap, layers)
            group = [build_layer(index) for index in range(n_layers)]
            return TransformerGroup(
                n_feats, [*group, TransformerLayer(n_feats, overlapping, mlp_ratio, layers)], layers
            )

        def build_body() -> TransformerBody:
            return TransformerBody(n_feats, window, [build_group() for _ in range(spec.n_blocks)], layers)

        super().__init__(spec, build_body)

    def build_tail(self) -> nn.Module:
        spec = self.spec
        tail = nn.Sequential(nn.Conv2d(spec.n_feats, TAIL_FEATS, 3, padding=1), nn.LeakyReLU(0.01))
        for step in tail_steps(spec.scale):
            tail.extend([nn.Conv2d(TAIL_FEATS, TAIL_FEATS * step**2, 3, padding=1), nn.PixelShuffle(step)])
        last = nn.Conv2d(TAIL_FEATS, spec.colors, 3, padding=1)
        shrink(last)
        return tail.append(last)

    def enlarge(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.tail(features), None
