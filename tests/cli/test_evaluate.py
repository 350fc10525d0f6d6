import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.cli.app import main


@pytest.fixture
def pictures(folder, rng):
    (folder / "[set]").mkdir()
    for name in ("x%", "[y]"):
        Image.fromarray(rng.integers(0, 256, (30, 34, 3), dtype=np.uint8)).save(folder / "[set]" / f"{name}.png")
    return "[set]"


def test_eval_prints_a_table(pictures, model, capsys):
    assert main(["eval", pictures, "-s", "2", "-m", model]) == 0
    out = capsys.readouterr().out
    for text in ("[set] x2", "x%", "[y]", "mean", "bicubic", "scales-random-x2"):
        assert text in out


def test_eval_prints_json(pictures, model, capsys):
    assert main(["eval", pictures, pictures, "-s", "2", "-m", model, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["scale"], len(report["benchmarks"])) == ("scales-random-x2", 2, 2)
    assert {"psnr", "ssim", "bicubic_psnr", "bicubic_ssim", "name"} == set(report["benchmarks"][0]["mean"])


@pytest.mark.parametrize(("arguments", "code"), [(["missing"], 3), (["."], 3), ([], 2), (["[set]", "-s", "9"], 2)])
def test_eval_exit_codes(pictures, model, capsys, arguments, code):
    Image.new("RGB", (4, 4)).save("a.png")
    assert main(["eval", "-s", "2", "-m", model, *arguments]) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_eval_quiet_prints_nothing_but_json(pictures, model, capsys):
    assert main(["eval", pictures, "-s", "2", "-m", model, "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["eval", pictures, "-s", "2", "-m", model, "-q", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_a_folder_that_is_called_like_a_model_is_not_in_its_way(pictures, capsys):
    """But one that holds a run is meant, and one that holds none says so if no model has its name."""
    for name in ("tiny", "mine"):
        Path(name).mkdir()
    assert main(["eval", pictures, "-s", "2", "-m", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "scales-tiny-x2"
    pytest.importorskip("torch")
    assert main(["eval", pictures, "-s", "2", "-m", "mine"]) == 5
    Path("tiny/weights-00000001.safetensors").touch()
    assert main(["eval", pictures, "-s", "2", "-m", "tiny"]) == 5
    errors = capsys.readouterr().err.splitlines()
    assert [error.split(" (")[0] for error in errors] == [
        f"scales: error: {name}: no checkpoint in it" for name in ("mine", "tiny")
    ]
