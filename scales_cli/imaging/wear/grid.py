"""The JPEG quality that a picture once had, from its pixels.

JPEG leaves of every frequency of a block only multiples of a number in its quantization table. Where blocks begin and
of which quality the table was is found by trying: for the right ones nearly all frequencies are multiples, for wrong
ones, and in pictures that never were JPEG, as few as chance makes. The measure is the logarithm of how many times
better the assumption explains them than chance does.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scales_cli.imaging.wear.tables import standard_tables
from scales_cli.imaging.wear.windows import LEVELS, Windows

Integers = NDArray[np.int64]

MOST = 160  # patches that are looked at, of 15 x 15 pixels, in which a block may begin at 64 places
CANDIDATES = 512  # among which those with most in them are chosen
LIKELY = 8  # of these places
ENOUGH = 35_000  # thousandths of a nat

_BLOCK = 8
_PATCH = 2 * _BLOCK - 1
_LOW = 5  # frequencies in each direction: higher ones are mostly zero
_BITS = 12  # of the cosines
_BINS = 384  # of frequencies' magnitudes, two a level
_STEPS = 128  # largest number of a table that is tried, and one
_SMALLEST = 3  # for smaller ones everything is nearly a multiple
_REACH = 1  # levels by which rounding moves a frequency at most
_REPEATED = 2  # equal magnitudes of a frequency that count
_BLIND = 2  # pixels of a block that may be blind
_STRAY = 0.1  # share of frequencies that are no multiples though they were


def estimate_grid(windows: Windows) -> float:
    """The JPEG quality 1..100 of the picture's last coding, 100 if none is seen."""
    luma, blind = _patches(windows)
    if not len(luma):
        return 100.0
    magnitudes = _magnitudes(luma, blind)
    zeros = (magnitudes < 2).sum(axis=(1, 2))  # of which a grid makes many, but only where it lies
    likely = np.argsort(-zeros, kind="stable")[:LIKELY]
    evidence, below_best = _evidence(magnitudes[likely])
    return 100.0 - below_best if evidence >= ENOUGH else 100.0


def _patches(windows: Windows) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Luma and blind pixels [n, 15, 15] of those, of many that are spread evenly, in which there is most."""
    count, height, width = windows.luma.shape
    shape = count, max(0, (height - _BLOCK + 1) // _BLOCK), max(0, (width - _BLOCK + 1) // _BLOCK)
    total = math.prod(shape)
    spread = np.arange(min(total, CANDIDATES)) * total // max(1, min(total, CANDIDATES))
    window, row, column = np.unravel_index(spread, shape) if total else (spread, spread, spread)
    reach = np.arange(_PATCH)
    rows, columns = _BLOCK * row[:, None] + reach, _BLOCK * column[:, None] + reach
    where = window[:, None, None], rows[:, :, None], columns[:, None, :]
    luma = windows.luma[where]
    blind = windows.blind[where]
    changes = np.abs(np.diff(luma, axis=2)).sum(axis=(1, 2), dtype=np.int64) * (_PATCH**2 - blind.sum(axis=(1, 2)))
    chosen = np.argsort(-changes, kind="stable")[:MOST]
    return luma[chosen], blind[chosen]


def _magnitudes(luma: NDArray[np.int16], blind: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Of each frequency but the mean, in half levels, [64, n, frequencies], for each place where a block may begin.

    Those of blocks with too many blind pixels are -1.
    """
    cosines = _cosines()
    centred = np.asarray(luma, np.int32)
    down = np.stack([np.einsum("niw,ik->nkw", centred[:, y : y + _BLOCK], cosines) for y in range(_BLOCK)])
    down >>= _BITS
    blocks = [np.einsum("ynki,il->ynkl", down[..., x : x + _BLOCK], cosines) for x in range(_BLOCK)]
    stack = np.abs(np.stack(blocks, axis=1)).reshape(_BLOCK**2, len(luma), -1)[..., 1:]
    stack >>= _BITS + (LEVELS // 2).bit_length() - 1
    unclear = _spans(_spans(blind.astype(np.int8), 1), 2).transpose(1, 2, 0).reshape(_BLOCK**2, -1) > _BLIND
    stack[unclear] = -1
    return np.asarray(stack)


def _spans(values: NDArray[np.int8], axis: int) -> NDArray[np.int8]:
    """Sums over eight values along an axis, for the eight places where they may begin."""
    spans = np.lib.stride_tricks.sliding_window_view(values, _BLOCK, axis=axis)
    return np.asarray(spans.sum(axis=-1, dtype=np.int8))


def _evidence(magnitudes: NDArray[np.int32]) -> tuple[int, int]:
    """Of the best place and the best of the standard's tables: thousandths of a nat, and 100 less its quality."""
    places, _, frequencies = magnitudes.shape
    own = np.arange(places)[:, None, None] * frequencies + np.arange(frequencies)
    bins = own * _BINS + np.clip(magnitudes, 0, _BINS - 1)
    counts = np.bincount(bins.ravel(), minlength=places * frequencies * _BINS)
    counts = np.minimum(counts, _REPEATED)  # many equal blocks say no more than a few
    below = counts.reshape(places, frequencies, _BINS).cumsum(axis=2)
    begins, ends, steps = _multiples()
    inside = np.add.reduceat(below[..., ends - 1] - below[..., begins - 1], steps, axis=2)
    known = below[..., -2:-1] - below[..., 2 * _REACH - 1, None]
    multiple, other = _weights()
    evidence = inside * multiple + (known - inside) * other
    evidence = np.pad(evidence, ((0, 0), (0, 0), (_SMALLEST, 0)))  # by step
    totals = evidence[:, np.arange(frequencies), _tables()].sum(axis=2)
    best = int(np.argmax(totals))
    return int(totals.ravel()[best]), best % totals.shape[1]


@cache
def _tables() -> Integers:
    """The low frequencies of the standard's tables of qualities 100, 99, ... 1, [100, frequencies]."""
    low = standard_tables().reshape(-1, _BLOCK, _BLOCK)[:, :_LOW, :_LOW].reshape(100, -1)[:, 1:]
    return np.asarray(np.minimum(low, _STEPS - 1))


@cache
def _cosines() -> NDArray[np.int32]:
    """[8, low]: the columns of the orthonormal transform, times 2**_BITS, rounded."""
    place, frequency = np.mgrid[:_BLOCK, :_LOW]
    waves = np.cos((2 * place + 1) * frequency * np.pi / (2 * _BLOCK)) * np.where(frequency == 0, 0.5**0.5, 1) / 2
    return np.asarray(np.rint(waves * 2**_BITS), np.int32)


@cache
def _multiples() -> tuple[Integers, Integers, Integers]:
    """The bins around multiples of the steps: where they begin and end, and which are the first of each step."""
    begins: list[int] = []
    firsts: list[int] = []
    for step in range(_SMALLEST, _STEPS):
        firsts.append(len(begins))
        begins += [2 * (multiple - _REACH) for multiple in range(step, _BINS // 2 - _REACH, step)]
    return np.array(begins), np.array(begins) + 4 * _REACH, np.array(firsts)


@cache
def _weights() -> tuple[Integers, Integers]:
    """For each step: what a multiple says for it, and what another number says, in thousandths of a nat, rounded."""
    chance = 2 * _REACH / np.arange(_SMALLEST, _STEPS)
    multiple = np.rint(1000 * np.log((1 - _STRAY) / chance))
    other = np.rint(1000 * np.log(_STRAY / (1 - chance)))
    return multiple.astype(np.int64), other.astype(np.int64)
