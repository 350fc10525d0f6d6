"""`scales train` and `scales export` from the command line to a model that upscales."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from waiting import wait_for

from scales_cli.backbones.table import SIZES
from scales_cli.cli.app import main
from scales_cli.cli.console import describe_seconds
from scales_cli.cli.train import parse_duration, read_config
from scales_cli.errors import UsageError
from scales_cli.imaging.resize import imresize
from scales_cli.weights.packed import load_packed

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
# Only torch, numpy, pillow, safetensors, typer and rich are needed to train; everything else is out of reach here.
BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("cv2", "platformdirs", "skimage") or name == "scales_cli.engine._native":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
sys.argv[0] = "scales"
from scales_cli.cli.app import main
sys.exit(main())
"""


@pytest.fixture
def photos(tmp_path, rng):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(4):
        picture = imresize(rng.integers(0, 256, (12, 14, 3), dtype=np.uint8), 8)
        Image.fromarray(picture).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("batch_size = 2\npatch_size = 8\n[network]\nn_blocks = 1\n")
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_train_makes_a_model_that_upscales(photos, settings, tmp_path, capsys):
    out = tmp_path / "run"
    assert run("train", "--data", photos, "-o", out, "--recipe", settings, "-s", 2, "--steps", 3) == 0
    model = Path(capsys.readouterr().out.strip())
    assert load_packed(model).card["steps"] == 3
    large = tmp_path / "large.png"
    assert run("upscale", photos / "0.png", "-s", 2, "-m", model, "-o", large) == 0
    with Image.open(large) as picture:
        assert picture.size == (224, 192)


def test_train_needs_resume_for_a_folder_with_a_run(photos, settings, tmp_path, capsys):
    arguments = ("train", "--data", photos, "-o", tmp_path / "run", "--recipe", settings, "-s", 2)
    assert run(*arguments, "--steps", 2) == 0
    assert run(*arguments, "--steps", 4) == 2
    assert "--resume" in capsys.readouterr().err
    assert run(*arguments, "--steps", 4, "--resume") == 0


def test_train_leaves_alone_what_lies_in_its_folder(photos, settings, tmp_path, capsys):
    """Also weights without the optimizer's state, which nothing goes on from."""
    arguments = ("train", "--data", photos, "--recipe", settings, "-s", 2, "--steps", 1)
    for name in ("weights-00000009.safetensors", "model.safetensors"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(b"mine")
        assert run(*arguments, "-o", folder) == 2
        assert "already holds" in capsys.readouterr().err
        assert run(*arguments, "-o", folder, "--resume") == 2
        assert "no whole checkpoint" in capsys.readouterr().err
        assert [path.read_bytes() for path in folder.iterdir()] == [b"mine"]


@pytest.mark.skipif(sys.platform != "linux", reason="whose names are any bytes")
def test_names_that_are_no_text(photos, settings, tmp_path):
    """Trained weights cannot be written there; packed ones can, and the name is printed as it is."""
    arguments = ["train", "--data", photos, "--recipe", settings, "-s", "2", "--steps", "1"]
    assert run(*arguments, "-o", tmp_path / "run\udcff") == 2
    assert run(*arguments, "-o", tmp_path / "run") == 0
    command = [sys.executable, "-m", "scales_cli", "export", tmp_path / "run", "-o", tmp_path / "m\udcff.safetensors"]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    result = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert (result.stdout, result.stderr) == (os.fsencode(command[-1]) + b"\n", b"")


def test_export_replaces_nothing_unasked_and_leaves_out_infinite_scores(photos, settings, tmp_path, capsys):
    assert run("train", "--data", photos, "-o", tmp_path / "a", "--recipe", settings, "-s", 2, "--steps", 1) == 0
    flat = tmp_path / "flat"
    flat.mkdir()
    Image.new("L", (40, 40), 128).save(flat / "grey.png")
    model = tmp_path / "b.safetensors"
    assert run("export", tmp_path / "a/model.safetensors", "-o", model) == 2  # whose card it would make up
    assert run("export", tmp_path / "a", "-o", model, "--benchmark", tmp_path / "missing") == 3
    assert run("export", tmp_path / "a", "-o", model, "--benchmark", flat, "--benchmark", flat) == 2
    assert not model.exists()
    model.write_bytes(b"mine")
    command = ("export", tmp_path / "a", "-o", model, "--benchmark", flat, "--json")
    assert (run(*command), model.read_bytes()) == (4, b"mine")
    capsys.readouterr()
    assert run(*command, "--overwrite") == 0
    assert json.loads(capsys.readouterr().out)["card"]["psnr"] == {}


def test_train_starts_from_another_scale_and_export_tells_it(photos, settings, tmp_path, capsys):
    common = ("--recipe", settings, "--steps", 2)
    assert run("train", "--data", photos, "-o", tmp_path / "a", "-s", 2, *common) == 0
    assert run("train", "--data", photos, "-o", tmp_path / "b", "-s", 3, "--init", tmp_path / "a", *common) == 0
    model = tmp_path / "b.safetensors"
    capsys.readouterr()
    assert run("export", tmp_path / "b", "-o", model, "--benchmark", photos, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    card = load_packed(model).card
    assert said == {"output": str(model), "card": card}
    assert card["started_from"][0].startswith("scales 2x64 x2, 2 steps")
    assert card["psnr"]["photos"]["psnr"] > 10
    json.dumps(card)


def test_train_stops_in_time_and_distils(photos, settings, tmp_path, capsys):
    common = ("train", "--data", photos, "--recipe", settings, "-s", 2)
    assert run(*common, "-o", tmp_path / "a", "--steps", 900, "--max-time", "0s") == 0
    assert "stopped, --resume goes on" in capsys.readouterr().err
    assert run(*common, "-o", tmp_path / "b", "--steps", 2, "--teacher", tmp_path / "a", "-q", "--json") == 0
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert (said["steps"], said["finished"], captured.err) == (2, True, "")
    model = Path(said["output"])
    assert load_packed(model).card["teacher"].startswith("scales 2x64 x2, 1 steps")


def test_train_runs_from_the_source_tree_without_the_engine(photos, settings, tmp_path):
    command = ["train", "--data", photos, "-o", tmp_path / "run", "--recipe", settings, "-s", "2", "--steps", "2"]
    result = subprocess.run(
        [sys.executable, "-c", BARE, *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        pytest.param(1, 129, marks=pytest.mark.skipif(os.name == "nt", reason="SIGHUP")),
    ],
)
def test_interrupted_training_leaves_a_checkpoint(number, code, photos, settings, start_scales, tmp_path):
    """Of steps that take a tenth of a second each; from 1000 on, they would be compiled."""
    settings.write_text("batch_size = 16\npatch_size = 20\n[network]\nn_blocks = 2\n")
    out = tmp_path / "run"
    command = ["train", "--data", photos, "-o", out, "--recipe", settings, "-s", "2", "--steps", "999"]
    process = start_scales(*command, text=True)
    assert wait_for(out.exists)  # made when the first step begins
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == code, stderr
    assert "--resume goes on" in stderr
    assert Path(stdout.strip()).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "huge"), "unknown size"),
        (("--max-time", "soon"), "is not a time"),
        (("--device", "abacus"), "no device"),
        (("--device", "meta"), "no device"),
        (("--init", "missing"), "not a training checkpoint"),
        (("--steps", "0"), "at least 1"),
    ],
)
def test_train_names_what_is_wrong(arguments, message, photos, settings, tmp_path, capsys):
    code = run("train", "--data", photos, "-o", tmp_path / "run", "--recipe", settings, "--steps", 2, *arguments)
    error = capsys.readouterr().err
    assert code in (2, 5)
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_named_before_pictures_are_read(settings, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run("train", "--data", tmp_path / "missing", "-o", tmp_path / "file/run", "--recipe", settings) == 4
    assert "file cannot be written to" in capsys.readouterr().err


def test_train_has_a_recipe_for_each_size():
    settings = {size: read_config(None, scale=2, size=size, steps=None, seed=None) for size in SIZES}
    assert settings["tiny"] == read_config(None, scale=2, size=None, steps=None, seed=None)
    for size, fields in SIZES.items():
        assert {name: getattr(settings[size].network, name) for name in fields} == fields
    assert settings["base"].weight_scale_rate < settings["tiny"].weight_scale_rate


@pytest.mark.filterwarnings("always::UserWarning")
def test_train_warns_of_benchmark_pictures_and_tiny_ones(photos, settings, tmp_path, capsys):
    Image.new("L", (5, 5)).save(photos / "dot.png")
    inside = photos / "urban100"
    inside.mkdir()
    (photos / "0.png").rename(inside / "0.png")
    assert run("train", "--data", photos, "-o", tmp_path / "run", "--recipe", settings, "--steps", 1) == 0
    error = capsys.readouterr().err
    assert "Urban100" in error
    assert "dot.png is only 5 x 5 pixels" in error


def test_train_reports_its_end_ahead(photos, settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("scales_cli.training.trainer.REPORT_STEPS", 2)
    assert run("train", "--data", photos, "-o", tmp_path / "run", "--recipe", settings, "--steps", 3) == 0
    assert re.search(
        r"^step 2 of 3: .* it/s  loss .*  valid not yet  \d+ s left$", capsys.readouterr().err, re.MULTILINE
    )


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (720, "12 min"), (11_100, "3 h 05 min")])
def test_describe_seconds(seconds, text):
    assert describe_seconds(seconds) == text


@pytest.mark.parametrize("text", ["steps =", "speed = 3", "network = 4", "steps = 'many'", "[network]\nscale = 9"])
def test_train_refuses_broken_settings(text, photos, tmp_path, capsys):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    assert run("train", "--data", photos, "-o", tmp_path / "run", "--recipe", path) == 2
    assert capsys.readouterr().err.startswith("scales: error: ")


def test_parse_duration():
    assert [parse_duration(text) for text in ("90", "90s", "9m", "1.5h")] == [90, 90, 540, 5400]
    with pytest.raises(UsageError):
        parse_duration("-3m")
