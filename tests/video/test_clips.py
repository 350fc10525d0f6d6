"""Clips over pictures: what is known of them, and that video is steadier than its frames."""

import math

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")

from scales_cli.pipeline.upscalers import load
from scales_cli.video.clips import MOTIONS, NOISES, score_clips


def test_video_is_steadier_and_loses_nothing():
    y, x = np.mgrid[:96, :96]
    picture = 128 + 60 * np.sin(x / 4) * np.cos(y / 5) + 40 * np.sign(np.sin((x + 2 * y) / 11))
    rows = list(score_clips(load("tiny", 2, threads=1), [picture]))
    assert len(rows) == len(MOTIONS) * len(NOISES) - 1  # what stands without noise does not change at all
    by_kind = {(row.motion, row.noise): row for row in rows}
    still = by_kind["stands", 0.25]
    assert still.change < 2 < still.change_alone
    assert all(row.psnr > row.psnr_alone - 0.05 for row in rows)
    moving = by_kind["pans", 0.0]
    assert math.isclose(moving.change, moving.change_alone, rel_tol=0.02)
