"""SwinIR (Liang et al., ICCVW 2021) in its light form: windows of tokens, shifted in every second layer."""

from __future__ import annotations

from torch import Tensor, nn

from scales_cli.config import NetworkSpec
from scales_cli.layers.families import Layers
from scales_cli.networks.base import Network
from scales_cli.networks.windows import MLP, GroupEnd, TransformerBody, WindowAttention


class SwinLayer(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), on tokens [B, H, W, C]."""

    def __init__(
        self, n_feats: int, n_heads: int, window: int, mlp_ratio: int, layers: Layers, *, shifted: bool
    ) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(n_feats), nn.LayerNorm(n_feats)
        self.attention = WindowAttention(n_feats, n_heads, window, layers, shifted=shifted)
        self.mlp = MLP(n_feats, mlp_ratio, layers)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class SwinGroup(nn.Module):
    """x + conv(layers(x)): a residual group of Swin layers."""

    def __init__(self, n_feats: int, n_layers: int, n_heads: int, window: int, mlp_ratio: int, layers: Layers) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(SwinLayer(n_feats, n_heads, window, mlp_ratio, layers, shifted=i % 2 == 1) for i in range(n_layers))
        )
        self.end = GroupEnd(n_feats, layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.layers(x), x)


class SwinIR(Network):
    """`Network` whose body is n_blocks groups of n_layers Swin layers; SwinIR_S is 4 by 6 with 60 channels."""

    def __init__(
        self,
        spec: NetworkSpec,
        layers: Layers,
        n_layers: int,
        n_heads: int,
        window: int,
        mlp_ratio: int,
    ) -> None:
        def build_body() -> TransformerBody:
            sizes = (spec.n_feats, n_layers, n_heads, window, mlp_ratio)
            groups = nn.ModuleList(SwinGroup(*sizes, layers) for _ in range(spec.n_blocks))
            return TransformerBody(spec.n_feats, window, groups, layers)

        super().__init__(spec, build_body)
