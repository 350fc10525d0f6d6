"""Clips over pictures: what is known of them, and that video is steadier than its frames."""

import io
import json
import math

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")

from scales_cli.cli.app import main
from scales_cli.errors import InputError
from scales_cli.pipeline.upscalers import load
from scales_cli.video.clips import MOTIONS, NOISES, score_clips
from scales_cli.video.frame import Frame, PixelFormat, VideoFormat
from scales_cli.video.y4m import Y4MWriter


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


def test_pictures_that_nothing_can_move_over_are_refused(rng):
    with pytest.raises(InputError, match="100 x 120 pixels is too small"):
        list(score_clips(load("tiny", 4, threads=1), [rng.uniform(0, 255, (120, 100))]))


def test_real_clips(tmp_path, capsys):
    """A square moves over what stands still but for its noise."""
    rng = np.random.default_rng(0)
    scene = 100 + 60 * np.sin(np.arange(64) / 3) + 40 * np.sin(np.arange(48) / 5)[:, None]
    stream = io.BytesIO()
    writer = Y4MWriter(stream, VideoFormat(64, 48, PixelFormat(None)))
    for index in range(8):
        luma = scene + rng.standard_normal(scene.shape) / 2
        luma[20:28, 4 * index : 4 * index + 8] = 200
        writer.write(Frame((np.clip(luma, 16, 235).astype(np.uint8),)))
    (tmp_path / "clip.y4m").write_bytes(stream.getvalue())
    assert main(["eval", str(tmp_path / "clip.y4m"), "-s", "2", "-m", "tiny", "--clips", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["clips"]
    assert (row["motion"], row["noise"]) == ("clip.y4m", None)
    assert 0.9 < row["change"] < row["change_alone"] < 3
    assert row["psnr"] > row["psnr_alone"] - 0.05
    (tmp_path / "short.y4m").write_bytes(stream.getvalue()[: -6 * (64 * 48 + 6)])
    assert main(["eval", str(tmp_path / "short.y4m"), "-s", "2", "-m", "tiny", "--clips"]) == 3
    assert "short.y4m: it has fewer than four frames" in capsys.readouterr().err
