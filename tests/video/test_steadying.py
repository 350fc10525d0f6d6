"""Steadying: still areas are averaged, moving ones are not, and noise is told from motion."""

import numpy as np
import pytest

from scales_cli.video.steadying import Steadier, share_of_new


def box_mean(values, reach):
    """By definition, the edge repeated."""
    padded = np.pad(values, reach, mode="edge")
    size = 2 * reach + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size)).mean(axis=(2, 3))


@pytest.mark.parametrize("depth", [8, 10])
def test_the_share_is_as_defined(rng, depth):
    before = rng.integers(0, 1 << depth, (13, 17)).astype(np.uint8 if depth == 8 else np.uint16)
    step = 1 << (depth - 8)
    change = rng.integers(-2 * step, 2 * step + 1, before.shape)
    after = np.clip(before.astype(int) + change, 0, (1 << depth) - 1).astype(before.dtype)
    level = ((1 << depth) - 1) / 255
    difference = (after.astype(float) - before.astype(float)) / level
    # Edges are repeated between the two means, too.
    moved = np.sqrt(box_mean(box_mean(difference, 1) ** 2, 2))
    expected = 0.25 + 0.75 * np.clip((moved - 0.25) / 0.55, 0, 1)
    assert np.allclose(share_of_new(before, after, level), expected, atol=1e-6)


def test_a_still_scene_keeps_its_mean(rng):
    luma = rng.integers(0, 256, (20, 20), np.uint8)
    steadier = Steadier(2, 255)
    first, new = (rng.standard_normal((40, 40)).astype(np.float32) for _ in range(2))
    steadier.begin(luma)
    assert np.array_equal(steadier.steady(first, 0), first)
    steadier.begin(luma)
    assert np.allclose(steadier.steady(new, 0), first + 0.25 * (new - first), atol=1e-6)


def test_bands_of_any_height_give_the_same(rng):
    frames = [rng.integers(0, 256, (23, 20), np.uint8) for _ in range(3)]
    residuals = [rng.standard_normal((46, 40)).astype(np.float32) for _ in frames]
    results = []
    for rows in (1, 4, 23):
        steadier = Steadier(2, 255)
        for luma, residual in zip(frames, residuals, strict=True):
            steadier.begin(luma // 64)
            bands = [steadier.steady(residual[2 * top : 2 * (top + rows)], top) for top in range(0, 23, rows)]
        results.append(np.concatenate(bands))
    assert all(np.array_equal(results[0], result) for result in results[1:])


def test_a_new_scene_is_new_at_once(rng):
    steadier = Steadier(2, 255)
    first, new = (rng.standard_normal((40, 40)).astype(np.float32) for _ in range(2))
    for code, residual in ((0, first), (40, new)):
        steadier.begin(np.full((20, 20), code, np.uint8))
        steady = steadier.steady(residual, 0)
    assert np.allclose(steady, new, atol=1e-6)


def test_only_what_moves_is_new(rng):
    before = np.full((40, 40), 100, np.uint8)
    after = before.copy()
    after[:10] = 140
    share = share_of_new(before, after, 1.0)
    assert (share[:10] == 1).all()
    assert (share[16:] == 0.25).all()
