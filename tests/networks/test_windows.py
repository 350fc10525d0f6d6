import math

import pytest
import torch

from scales_cli.layers.families import FAMILIES
from scales_cli.networks.hat import OverlappingAttention
from scales_cli.networks.windows import (
    WindowAttention,
    continue_edge,
    join_heads,
    merge,
    partition,
    position_index,
    shift_mask,
    split_heads,
)


def test_merge_undoes_partition():
    x = torch.arange(2 * 8 * 12 * 3).view(2, 8, 12, 3).float()
    windows = partition(x, 4)
    assert windows.shape == (2 * 2 * 3, 16, 3)
    assert torch.equal(windows[1].view(4, 4, 3), x[0, :4, 4:8])
    assert torch.equal(merge(windows, 4, 8, 12), x)


def test_join_heads_undoes_split_heads():
    x = torch.randn(3, 16, 12)
    assert torch.equal(join_heads(split_heads(x, 4)), x)
    assert torch.equal(split_heads(x, 4)[0, 1], x[0, :, 3:6])


def test_edges_are_continued_up_to_whole_windows():
    x = torch.randn(1, 5, 8, 2)
    y = continue_edge(x, 4)
    assert y.shape == (1, 8, 8, 2)
    assert torch.equal(y[:, :5], x)
    assert torch.equal(y[:, 5:], x[:, 4:].expand(1, 3, 8, 2))


def test_position_index_depends_on_the_offset_alone():
    index = position_index(3, 5)
    assert index.shape == (9, 25)
    places = {}
    for query in range(9):
        for key in range(25):
            offset = (key // 5 - query // 3, key % 5 - query % 3)
            assert places.setdefault(offset, index[query, key].item()) == index[query, key].item()
    assert sorted(places.values()) == list(range((3 + 5 - 1) ** 2))


@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 4), (8, 12)])
def test_shift_mask_parts_what_came_from_other_ends(height, width):
    """Tokens of a rolled window may meet where neither axis wrapped around between them."""
    window, shift = 4, 2
    mask = shift_mask(height, width, window, shift, torch.device("cpu"))
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows, columns], dim=-1).roll((-shift, -shift), (0, 1))
    windows = partition(places[None], window)
    distance = (windows[:, :, None] - windows[:, None, :]).abs().amax(dim=-1)
    wrapped = distance >= window if min(height, width) > window else None
    assert mask.shape == (height * width // 16, 16, 16)
    if wrapped is not None:
        assert torch.equal(mask == -math.inf, wrapped)
    else:  # both ends are in one window: near in number, and still apart
        first = (windows < shift).int()
        assert torch.equal(mask == -math.inf, (first[:, :, None] != first[:, None, :]).any(dim=-1))


def plain_attention(layer, x, top, left, side):
    """Attention among the tokens of one square, token by token."""
    query, key, value = (
        getattr(layer, name)(x)[0, top : top + side, left : left + side].reshape(side**2, layer.n_heads, -1)
        for name in ("query", "key", "value")
    )
    out = torch.empty_like(value)
    window = layer.window
    for i in range(side**2):
        for head in range(layer.n_heads):
            scores = []
            for j in range(side**2):
                dy, dx = j // side - i // side + window - 1, j % side - i % side + window - 1
                bias = layer.position_bias[(2 * window - 1) * dy + dx, head]
                scores.append(query[i, head] @ key[j, head] / math.sqrt(query.shape[-1]) + bias)
            out[i, head] = torch.stack(scores).softmax(dim=0) @ value[:, head]
    return layer.proj(out.flatten(1)).view(side, side, -1)


@pytest.fixture
def attention():
    def make(**options):
        torch.manual_seed(0)
        layer = WindowAttention(8, 2, 4, FAMILIES["float"], **options)
        with torch.no_grad():
            layer.position_bias.normal_()
        return layer.requires_grad_(False)

    return make


def test_window_attention_is_attention_within_each_window(attention):
    layer, x = attention(), torch.randn(1, 8, 8, 8)
    out = layer(x)
    for top in (0, 4):
        for left in (0, 4):
            expected = plain_attention(layer, x, top, left, 4)
            torch.testing.assert_close(out[0, top : top + 4, left : left + 4], expected)


def test_shifted_attention_has_whole_windows_inside_and_parts_at_the_border(attention):
    layer, x = attention(shifted=True), torch.randn(1, 8, 8, 8)
    out = layer(x)
    torch.testing.assert_close(out[0, 2:6, 2:6], plain_attention(layer, x, 2, 2, 4))
    torch.testing.assert_close(out[0, :2, :2], plain_attention(layer, x, 0, 0, 2))
    torch.testing.assert_close(out[0, 6:, 6:], plain_attention(layer, x, 6, 6, 2))


def test_shifted_attention_never_crosses_the_border(attention):
    layer, x = attention(shifted=True), torch.randn(1, 8, 8, 8)
    changed = x.clone()
    changed[:, 7] += 1
    assert torch.equal(layer(x)[:, :2], layer(changed)[:, :2])


def test_overlapping_attention_reaches_around_its_window():
    torch.manual_seed(1)
    layer = OverlappingAttention(8, 2, 4, 0.5, FAMILIES["float"]).requires_grad_(False)
    x = torch.randn(2, 12, 12, 8)
    out = layer(x)
    assert out.shape == x.shape
    changed = x.clone()
    changed[:, 3] += 1  # one row above the second windows, two rows above the reach of the third
    moved = (layer(changed) != out).any(dim=-1).any(dim=-1)[0]
    assert moved[4:8].all()
    assert not moved[8:].any()
    alone = layer(x[1:])
    torch.testing.assert_close(alone, out[1:])
