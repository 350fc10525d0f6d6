"""Windows of tokens [B, H, W, C] and attention within them (Swin Transformer, Liu et al., ICCV 2021)."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.layers.families import Layers


def partition(x: Tensor, window: int) -> Tensor:
    """[B, H, W, C] -> [B * windows, window^2, C], row by row; both sides must be multiples of `window`."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window * window, channels)


def merge(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """The inverse of `partition`."""
    channels = windows.shape[-1]
    x = windows.view(-1, height // window, width // window, window, window, channels)
    return x.transpose(2, 3).reshape(-1, height, width, channels)


def continue_edge(x: Tensor, window: int) -> Tensor:
    """[B, H, W, C] with its last row and column repeated up to the next multiples of `window`."""
    for dim in (1, 2):
        length = x.shape[dim]
        if missing := -length % window:
            x = torch.cat((x, x.narrow(dim, length - 1, 1).repeat_interleave(missing, dim)), dim)
    return x


def shift_mask(height: int, width: int, window: int, shift: int, device: torch.device) -> Tensor:
    """What shifted windows may not mix, [windows, window^2, window^2]: 0 or -inf to be added before the softmax.

    Rolled by `shift`, the last windows of each axis hold tokens from both ends of the picture.
    """

    def ends(length: int) -> Tensor:
        index = torch.arange(length, device=device)
        return (index >= length - window).int() + (index >= length - shift).int()

    region = (3 * ends(height)[:, None] + ends(width)[None, :])[None, :, :, None]
    regions = partition(region, window)[..., 0]
    return torch.where(regions[:, :, None] == regions[:, None, :], 0.0, -torch.inf)


def position_index(window: int, reach: int) -> Tensor:
    """Where in a table of (window + reach - 1)^2 entries the offset from query to key stands, [window^2, reach^2].

    Keys are a square of side `reach` around the queries' of side `window`.
    """
    offset = torch.arange(reach)[None, :] - torch.arange(window)[:, None] + window - 1
    side = window + reach - 1
    index = side * offset[:, None, :, None] + offset[None, :, None, :]
    return index.reshape(window**2, reach**2)


class Attention(nn.Module):
    """Multi-head attention of tokens [B, H, W, C] from windows to squares of side `reach` around them.

    `query`, `key`, `value` and `proj` are of `layers`; products, softmax and position bias are full precision.
    """

    index: Tensor

    def __init__(self, n_feats: int, n_heads: int, window: int, reach: int, layers: Layers) -> None:
        super().__init__()
        if n_feats % n_heads:
            raise ValueError(f"{n_feats} channels cannot be shared by {n_heads} heads")
        linear = layers.require_linear()
        self.n_heads, self.window, self.reach = n_heads, window, reach
        self.query, self.key, self.value = (linear(n_feats, n_feats, inner=True) for _ in range(3))
        self.proj = linear(n_feats, n_feats)
        self.position_bias = nn.Parameter(torch.zeros((window + reach - 1) ** 2, n_heads))
        nn.init.trunc_normal_(self.position_bias, std=0.02)
        self.register_buffer("index", position_index(window, reach), persistent=False)

    def bias(self) -> Tensor:
        """The position bias of each query of a window and each key, [heads, window^2, reach^2]."""
        return self.position_bias[self.index].permute(2, 0, 1)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax(Q K^T / sqrt(d) + bias) V, all [B, H, W, C]."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(self.attend(self.query(x), self.key(x), self.value(x)))


class WindowAttention(Attention):
    """Attention within windows, shifted by half a window or not."""

    def __init__(self, n_feats: int, n_heads: int, window: int, layers: Layers, *, shifted: bool = False) -> None:
        super().__init__(n_feats, n_heads, window, window, layers)
        shift = window // 2 if shifted else 0
        own = functools.partial(attend_in_windows, window, shift)
        self._attend = layers.attend(window, shift) if layers.attend else own

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self._attend(self.bias(), query, key, value)


def attend_in_windows(window: int, shift: int, bias: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d) + bias) V of tokens [B, H, W, C] in windows that begin `shift` tokens from the corner.

    `bias` is [heads, window^2, window^2].
    """
    batch, height, width, _ = query.shape
    tokens, n_heads, mask = (query, key, value), len(bias), bias[None]
    if shift:
        tokens = tuple(item.roll((-shift, -shift), (1, 2)) for item in tokens)
        mask = (mask + shift_mask(height, width, window, shift, query.device)[:, None]).repeat(batch, 1, 1, 1)
    q, k, v = (split_heads(partition(item, window), n_heads) for item in tokens)
    out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    out = merge(join_heads(out), window, height, width)
    return out.roll((shift, shift), (1, 2)) if shift else out


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """[N, T, C] -> [N, heads, T, C / heads]."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """The inverse of `split_heads`."""
    return x.transpose(1, 2).flatten(2)


class MLP(nn.Module):
    """fc2(GELU(fc1(x))) with `ratio` times as many channels in between."""

    def __init__(self, n_feats: int, ratio: int, layers: Layers) -> None:
        super().__init__()
        linear = layers.require_linear()
        self.fc1, self.fc2 = linear(n_feats, ratio * n_feats), linear(ratio * n_feats, n_feats)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class TransformerLayer(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), on tokens [B, H, W, C]."""

    def __init__(self, n_feats: int, attention: nn.Module, mlp_ratio: int, layers: Layers) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(n_feats), nn.LayerNorm(n_feats)
        self.attention = attention
        self.mlp = MLP(n_feats, mlp_ratio, layers)

    def mix(self, normed: Tensor) -> Tensor:
        """What tokens take from others."""
        return self.attention(normed)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mix(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class TransformerGroup(nn.Module):
    """x + conv(layers(x)), on tokens [B, H, W, C].

    A binary convolution's own skip takes the place of the group's: the stream that passes it has passed the group.
    """

    def __init__(self, n_feats: int, group: list[TransformerLayer], layers: Layers) -> None:
        super().__init__()
        self.layers = nn.Sequential(*group)
        self.conv = layers.group_conv(n_feats)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.layers(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return y if self.conv.has_skip else x + y


class TransformerBody(nn.Module):
    """[B, C, H, W] -> the same by groups of tokens' layers, between normalizations, and a last convolution.

    Pictures are continued by their edge to multiples of the window, and cut back.
    """

    def __init__(self, n_feats: int, window: int, groups: list[TransformerGroup], layers: Layers) -> None:
        super().__init__()
        self.window = window
        self.first_norm, self.last_norm = nn.LayerNorm(n_feats), nn.LayerNorm(n_feats)
        self.groups = nn.Sequential(*groups)
        self.last_conv = layers.group_conv(n_feats)

    def forward(self, x: Tensor) -> Tensor:
        _, _, height, width = x.shape
        tokens = self.first_norm(continue_edge(x.permute(0, 2, 3, 1), self.window))
        x = self.last_conv(self.last_norm(self.groups(tokens)).permute(0, 3, 1, 2))
        return x[:, :, :height, :width]
