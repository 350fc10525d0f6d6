"""From which strength on pictures should go to the model that mends: what each choice brings, measured.

A picture's strength is what it shows (`imaging.wear`); its gain is the PSNR of a model's result less that of bicubic
enlargement, in dB.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scales_cli.evaluation.degraded import DegradedReport

STEPS = tuple(round(0.02 * index, 2) for index in range(1, 26))  # strengths that are tried, beside "never"
NEVER = 1.01
LOST = -0.005  # dB: less is a loss to nobody's eyes, nor in two digits


@dataclass(frozen=True)
class Trial:
    """A picture degraded in one way: its gains by both models."""

    degradation: str
    picture: str
    strength: float
    clean: float
    mending: float


@dataclass(frozen=True)
class Switch:
    """Of all trials, if pictures go to the model that mends from a strength on: the mean and the least of their gains.

    `below` are the trials whose result is worse than bicubic enlargement.
    """

    auto_from: float
    mean: float
    below: int
    least: float
    of: str


@dataclass(frozen=True)
class Kind:
    """Of the trials of one degradation: the middle strength, and the mean gains by both models."""

    degradation: str
    strength: float
    clean: float
    mending: float


def trials(clean: Sequence[DegradedReport], mending: Sequence[DegradedReport]) -> list[Trial]:
    """Of reports on the same pictures by both models; the second ones know the strengths."""
    return [
        Trial(before.degradation.name, name, after.strengths[name] or 0.0, before.gains[name], after.gains[name])
        for before, after in zip(clean, mending, strict=True)
        for name in before.gains
    ]


def kinds(tried: Sequence[Trial]) -> list[Kind]:
    found = []
    for name in dict.fromkeys(trial.degradation for trial in tried):
        own = [trial for trial in tried if trial.degradation == name]
        found.append(
            Kind(
                name,
                statistics.median(trial.strength for trial in own),
                statistics.fmean(trial.clean for trial in own),
                statistics.fmean(trial.mending for trial in own),
            )
        )
    return found


def switches(tried: Sequence[Trial]) -> list[Switch]:
    """What becomes of all trials, for each strength that the switch may lie at."""
    found = []
    for auto_from in (*STEPS, NEVER):
        gains = [trial.mending if trial.strength >= auto_from else trial.clean for trial in tried]
        least, worst = min(zip(gains, tried, strict=True), key=lambda pair: pair[0])
        below = sum(gain < LOST for gain in gains)
        found.append(Switch(auto_from, statistics.fmean(gains), below, least, f"{worst.picture}, {worst.degradation}"))
    return found
