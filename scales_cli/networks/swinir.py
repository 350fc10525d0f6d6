"""SwinIR (Liang et al., ICCVW 2021) in its light form: windows of tokens, shifted in every second layer."""

from __future__ import annotations

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.layers.families import Layers
from scales_cli.networks.base import Network
from scales_cli.networks.windows import TransformerBody, TransformerGroup, TransformerLayer, WindowAttention


class SwinIR(Network):
    """`Network` whose body is n_blocks groups of n_layers Swin layers; SwinIR_S is 4 by 6 with 60 channels."""

    def __init__(
        self, spec: NetworkSpec, layers: Layers, n_layers: int, n_heads: int, window: int, mlp_ratio: int
    ) -> None:
        n_feats = spec.n_feats

        def build_layer(index: int) -> TransformerLayer:
            attention = WindowAttention(n_feats, n_heads, window, layers, shifted=index % 2 == 1)
            return TransformerLayer(n_feats, attention, mlp_ratio, layers)

        def build_body() -> TransformerBody:
            groups = [
                TransformerGroup(n_feats, [build_layer(index) for index in range(n_layers)], layers)
                for _ in range(spec.n_blocks)
            ]
            return TransformerBody(n_feats, window, groups, layers)

        super().__init__(spec, build_body)
