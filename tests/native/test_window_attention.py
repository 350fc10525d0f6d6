"""Attention within windows against the plain equation, window by window."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

native = pytest.importorskip("scales_cli.engine._native")

Tokens = NDArray[np.float32]


def cuts(length: int, window: int, shift: int) -> list[tuple[int, int]]:
    """Where windows of a shifted grid begin and end inside the picture."""
    edges = [0, *range(window - shift if shift else window, length, window), length]
    return list(pairwise(edges))


def expected(query: Tokens, key: Tokens, value: Tokens, bias: Tokens, window: int, shift: int) -> NDArray[np.float64]:
    height, width, channels = query.shape
    heads = len(bias)
    out = np.empty(query.shape)
    for top, bottom in cuts(height, window, shift):
        for left, right in cuts(width, window, shift):
            rows, columns = np.mgrid[top:bottom, left:right]
            place = (((rows + shift) % window) * window + (columns + shift) % window).ravel()
            parts = [item[top:bottom, left:right].reshape(-1, heads, channels // heads) for item in (query, key, value)]
            q, k, v = (part.astype(float).transpose(1, 0, 2) for part in parts)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(channels // heads) + bias[:, place][:, :, place]
            weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
            weights /= weights.sum(axis=-1, keepdims=True)
            out[top:bottom, left:right] = (weights @ v).transpose(1, 0, 2).reshape(bottom - top, right - left, channels)
    return out


def run(attention: object, tokens: tuple[Tokens, Tokens, Tokens]) -> Tokens:
    out = np.full_like(tokens[0], np.nan)
    for row in range(attention.window_rows(len(out))):  # type: ignore[attr-defined]
        attention.run(*tokens, row, row + 1, out)  # type: ignore[attr-defined]
    return out


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize(("heads", "channels"), [(1, 3), (2, 32), (6, 60), (1, 40)])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 12), (1, 1), (5, 6), (9, 3)])
def test_window_attention_is_the_equation(
    isa: str, shift: int, heads: int, channels: int, height: int, width: int, rng: np.random.Generator
) -> None:
    window = 4
    bias = rng.normal(size=(heads, window**2, window**2)).astype(np.float32)
    query, key, value = (rng.normal(0, 2, (height, width, channels)).astype(np.float32) for _ in range(3))
    attention = native.WindowAttention(bias, window, shift, isa)
    out = run(attention, (query, key, value))
    np.testing.assert_allclose(out, expected(query, key, value, bias, window, shift), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("window", [3, 8, 16])
def test_every_instruction_set_attends_alike(window: int, rng: np.random.Generator) -> None:
    bias = rng.normal(size=(2, window**2, window**2)).astype(np.float32)
    tokens = tuple(rng.normal(0, 3, (2 * window + 3, window + 1, 20)).astype(np.float32) for _ in range(3))
    reference = run(native.WindowAttention(bias, window, window // 2, "reference"), tokens)  # type: ignore[arg-type]
    for isa in native.available_isas():
        other = run(native.WindowAttention(bias, window, window // 2, isa), tokens)  # type: ignore[arg-type]
        np.testing.assert_array_equal(other, reference, err_msg=isa)


def test_large_scores_do_not_overflow(isa: str, rng: np.random.Generator) -> None:
    tokens = rng.normal(0, 1e3, (4, 4, 8)).astype(np.float32)
    bias = np.zeros((1, 16, 16), np.float32)
    out = run(native.WindowAttention(bias, 4, 0, isa), (tokens,) * 3)
    np.testing.assert_allclose(out, expected(tokens, tokens, tokens, bias, 4, 0), rtol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_not_hidden(value: float, isa: str, rng: np.random.Generator) -> None:
    query, key, values = (rng.normal(0, 1, (4, 8, 8)).astype(np.float32) for _ in range(3))
    query = np.abs(query)
    key[2, 1, 3] = value
    with np.errstate(invalid="ignore"):
        out = run(native.WindowAttention(np.zeros((1, 16, 16), np.float32), 4, 0, isa), (query, key, values))
    hidden = value == -np.inf  # the key of that token has no weight then
    assert np.isfinite(out[:, :4]).all() == hidden
    assert np.isfinite(out[:, 4:]).all()


def test_window_attention_refuses_what_does_not_fit(rng: np.random.Generator) -> None:
    attention = native.WindowAttention(np.zeros((3, 16, 16), np.float32), 4, 2)
    tokens, out = np.zeros((4, 4, 9), np.float32), np.empty((4, 4, 9), np.float32)
    with pytest.raises(ValueError, match="key has the wrong shape"):
        attention.run(tokens, tokens[1:], tokens, 0, 1, out)
    with pytest.raises(ValueError, match="rows are outside"):
        attention.run(tokens, tokens, tokens, 0, 3, out)
    other = np.zeros((4, 4, 8), np.float32)
    with pytest.raises(ValueError, match="heads must share"):
        attention.run(other, other, other, 0, 1, np.empty_like(other))
    with pytest.raises(ValueError, match="shift must be less"):
        native.WindowAttention(np.zeros((3, 16, 16), np.float32), 4, 4)
