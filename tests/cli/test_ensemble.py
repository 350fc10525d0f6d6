"""--ensemble: the same in every command, said in every record."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.cli.app import main

COMMON = ["-s", "2", "-m", "tiny", "-t", "1", "--json"]


@pytest.fixture
def picture(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    pixels = np.cumsum(rng.normal(0, 9, (24, 30, 3)), axis=1) + 128
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save("a.png")
    return "a.png"


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_upscale_and_batch_give_the_same_and_say_so(picture, forked, capsys):
    assert main(["upscale", picture, "-o", "plain.png", *COMMON]) == 0
    assert main(["upscale", picture, "-o", "four.png", "--ensemble", "4", *COMMON]) == 0
    assert [line.get("ensemble") for line in lines(capsys)] == [None, 4]
    plain, four = (np.asarray(Image.open(name)).astype(int) for name in ("plain.png", "four.png"))
    assert 0 < np.abs(plain - four).max() < 40
    batch = ["batch", picture, "-o", "out", *COMMON]
    for ensemble, expected in (("4", "four.png"), ("1", "plain.png")):
        assert main([*batch, "--ensemble", ensemble]) == 0  # another ensemble is another result, which is made anew
        (line,) = lines(capsys)
        assert line.get("ensemble", 1) == int(ensemble)
        assert Path("out/a_x2.png").read_bytes() == Path(expected).read_bytes()
    assert main(batch) == 0
    assert "skipped" in lines(capsys)[0]


def test_eval_scores_ensembles(picture, capsys):
    scores = []
    for ensemble in ("1", "8"):
        assert main(["eval", ".", *COMMON, "--ensemble", ensemble]) == 0
        (line,) = lines(capsys)
        assert line.get("ensemble", 1) == int(ensemble)
        scores.append(line["benchmarks"][0]["mean"]["psnr"])
    assert scores[0] != scores[1]
    assert main(["eval", ".", *COMMON[:-1], "--ensemble", "8"]) == 0
    assert "ensemble 8" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("count", ["0", "3", "x", "16"])
def test_other_counts_are_refused(picture, capsys, count):
    assert main(["upscale", picture, "--ensemble", count]) == 2
    assert "is not 1, 2, 4 or 8" in " ".join(capsys.readouterr().err.split())
