"""`scales ablate` on a few small pictures."""

from __future__ import annotations

import json
import shutil
import signal
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from scales_cli.cli import ablate as command
from scales_cli.cli.app import main
from scales_cli.cli.train import stopping_on_signals
from scales_cli.errors import UsageError
from scales_cli.imaging.resize import imresize
from scales_cli.networks.build import build_network
from scales_cli.training import ablation as module
from scales_cli.training.ablation import Ablation
from scales_cli.training.checkpoint import Checkpoint

DESCRIPTION = """
scale = 2
size = "tiny"
steps = 3
batch_size = 2
patch_size = 8
learning_rates = [1e-9, 4e-3]
tuning_steps = 2
[[rows]]
name = "e2fif"
title = "E2FIF"
layers = "e2fif"
[[rows]]
name = "plain"
layers = "scales"
conv_options = { spatial = false }
"""


@pytest.fixture
def ablate(tmp_path, rng):
    for folder in ("train", "Set"):
        (tmp_path / folder).mkdir()
        for index in range(3):
            picture = imresize(rng.integers(0, 256, (10, 11, 3), dtype=np.uint8), 4)
            Image.fromarray(picture).save(tmp_path / folder / f"{index}.png")
    (tmp_path / "ablation.toml").write_text(DESCRIPTION)

    def run(*arguments):
        folders = ("--data", "train", "--valid", "Set", "-o", "out", "--recipe", "ablation.toml")
        return main(["ablate", "Set", *folders, *arguments])

    return run


def test_ablate_tunes_trains_scores_and_goes_on(ablate, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ablate("--row", "e2fif") == 0
    (header, _, row) = capsys.readouterr().out.splitlines()
    assert "Set" in header
    assert row.startswith("| E2FIF |")
    result = json.loads((tmp_path / "out/e2fif/result.json").read_text())
    assert result["learning_rate"] == float(max(result["tuned"], key=result["tuned"].get))
    assert result["steps"] == 3
    assert set(result["tuned"]) == {"1e-09", "0.004"}
    before = (tmp_path / "out/e2fif/result.json").stat().st_mtime_ns
    assert ablate() == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert (tmp_path / "out/e2fif/result.json").stat().st_mtime_ns == before
    monkeypatch.setattr(module, "start_run", None)  # nothing is left to be trained
    assert ablate() == 0


@pytest.mark.parametrize("change", [("batch_size = 2", "batch_size = 3"), ("steps = 3", "steps = 1")])
def test_ablate_takes_no_other_descriptions_runs_for_its_own(change, ablate, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ablate("--row", "plain") == 0
    result = (tmp_path / "out/plain/result.json").read_text()
    (tmp_path / "ablation.toml").write_text(DESCRIPTION.replace(*change))
    assert ablate("--row", "plain") == 2
    assert "another description" in capsys.readouterr().err
    assert (tmp_path / "out/plain/result.json").read_text() == result


@pytest.mark.parametrize("folder", ["train", "Set"])
def test_rows_of_other_pictures_are_not_taken_for_these(folder, ablate, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ablate("--row", "plain") == 0
    Image.new("RGB", (40, 44)).save(tmp_path / folder / "0.png")
    assert ablate("--row", "plain") == 2
    assert "out holds rows of other pictures of --" in capsys.readouterr().err


def test_a_benchmark_that_is_added_is_scored_without_training(ablate, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ablate("--row", "plain") == 0
    shutil.copytree("Set", "Other")
    monkeypatch.setattr(module, "start_run", None)
    assert ablate("Other", "--row", "plain") == 0
    assert "| Set | Other |" in capsys.readouterr().out


def test_a_signal_leaves_a_checkpoint_from_which_the_row_goes_on(ablate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @contextmanager
    def interrupted(trainer):
        with stopping_on_signals(trainer) as received:
            signal.raise_signal(signal.SIGINT)
            yield received

    monkeypatch.setattr(command, "stopping_on_signals", interrupted)
    assert ablate("--row", "plain") == 130
    assert Checkpoint.load(tmp_path / "out/plain/1e-09").progress.step == 1
    monkeypatch.setattr(command, "stopping_on_signals", stopping_on_signals)
    assert ablate("--row", "plain") == 0
    assert Checkpoint.load(tmp_path / "out/plain/1e-09").progress.step == 2


def test_a_learning_rate_that_diverges_is_not_chosen(ablate, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = DESCRIPTION.replace("[1e-9, 4e-3]", "[1e-3, 1e30]")
    (tmp_path / "ablation.toml").write_text(f"clip_norm = 1e9\nwarmup_steps = 1\n{text}")
    assert ablate("--row", "plain") == 0
    result = json.loads((tmp_path / "out/plain/result.json").read_text())
    assert result["tuned"]["1e+30"] == 0
    assert result["learning_rate"] == 1e-3
    (tmp_path / "ablation.toml").write_text(
        f"clip_norm = 1e9\nwarmup_steps = 1\n{text.replace('[1e-3, 1e30]', '[1e30]')}"
    )
    assert ablate("--row", "e2fif") == 1
    assert "row e2fif diverges" in capsys.readouterr().err


def test_a_run_is_scored_whatever_its_convolution(ablate, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ablate("--row", "e2fif") == 0
    scored = json.loads((tmp_path / "out/e2fif/result.json").read_text())["psnr"]["Set"]
    capsys.readouterr()
    assert main(["eval", "Set", "-s", "2", "-m", "out/e2fif/run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["benchmarks"][0]["mean"]["psnr"] == pytest.approx(scored)
    assert main(["eval", "Set", "-s", "4", "-m", "out/e2fif/run"]) == 2
    assert "-s 2" in capsys.readouterr().err


def test_the_package_describes_every_rival_and_every_part():
    rows = {row.name for row in Ablation.load().rows}
    assert rows == {
        *("float", "bireal", "btm", "reactnet", "bbcu", "e2fif"),
        *("plain", "layerwise", "spatial", "scales"),
    }


@pytest.mark.parametrize(("name", "rows"), [("swinir", {"binary", "bibert", "scales"}), ("rcan", {"e2fif", "scales"})])
def test_the_package_describes_other_backbones(name, rows):
    ablation = Ablation.load(name)
    assert rows <= {row.name for row in ablation.rows}
    for row in ablation.rows:
        build_network(ablation.config(row, 1e-3, 1).network)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[rows]]\nname = 'a'",
        DESCRIPTION.replace("steps = 3", "setps = 3"),
        DESCRIPTION.replace("[1e-9, 4e-3]", "[]"),
        DESCRIPTION.replace("[1e-9, 4e-3]", "['x']"),
        DESCRIPTION.replace("[1e-9, 4e-3]", "[-1.0]"),
        DESCRIPTION.replace('name = "plain"', "name = 3"),
        DESCRIPTION.replace('name = "plain"', 'name = "../../outside"'),
        DESCRIPTION.replace('name = "plain"', 'name = "e2fif"'),
        DESCRIPTION.replace('layers = "scales"', 'layers = "nonsense"'),
        "rows = " + "[" * 10_000,
        "#" * 2**20 + DESCRIPTION,
    ],
)
def test_a_broken_description_is_named(text, tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(UsageError):
        Ablation.load(str(path))


def test_unknown_rows_are_named():
    with pytest.raises(UsageError, match="nonsense"):
        Ablation.load().choose(["nonsense"])
