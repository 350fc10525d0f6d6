"""What Transformers of windows have in common: parts, and how far they see."""

from __future__ import annotations

from scales_cli.backbones.backbone import Dimensions
from scales_cli.backbones.cost import AttentionCost, ConvCost, NormCost, Part


def attention_parts(spec: Dimensions, n_heads: int, window: int, reach: int) -> list[Part]:
    """A normalization, query, key, value and projection, and attention from windows to squares of side `reach`."""
    n_feats = spec.n_feats
    products = AttentionCost(n_feats, reach**2, n_heads * (window + reach - 1) ** 2)
    return [NormCost(n_feats), *[_linear(spec, n_feats, n_feats)] * 4, products]


def mlp_parts(spec: Dimensions, ratio: int) -> list[Part]:
    n_feats = spec.n_feats
    return [NormCost(n_feats), _linear(spec, n_feats, ratio * n_feats), _linear(spec, ratio * n_feats, n_feats)]


def transformer_parts(spec: Dimensions, group: list[Part]) -> list[Part]:
    """Groups of layers, each with a convolution at its end, and a last one, between normalizations.

    These convolutions count with a bias, whose place the shift of a binary one's activation takes.
    """
    conv = ConvCost(spec.n_feats, spec.n_feats, 3, spec.is_binary, bias=True)
    return [NormCost(spec.n_feats), *[*group, conv] * spec.n_blocks, NormCost(spec.n_feats), conv]


def _linear(spec: Dimensions, inputs: int, outputs: int) -> Part:
    return ConvCost(inputs, outputs, 1, spec.is_binary, bias=True)


def reach_of_layer(reach: int, window: int, index: int) -> int:
    """LR pixels before a layer's attention on which `reach` pixels after it depend; every second one is shifted."""
    shift = window // 2 if index % 2 else 0
    return ceil_to(max(reach - shift, 0), window) + shift


def ceil_to(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
