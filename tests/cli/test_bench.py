import json
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from waiting import wait_for

from scales_cli.bench.contenders import registry
from scales_cli.cli.app import main

SMALL = ["bench", "--size", "16x12", "--rounds", "2"]


def test_bench_prints_json(folder, model, capsys):
    arguments = [*SMALL, "-s", "2", "-m", model, "--against", "bicubic,upscale", "-t", "1,2", "--json"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    report = json.loads(out)
    assert (report["scale"], report["skipped"]) == (2, {})
    assert {"amx", "cpu", "cores", "isa", "limits", "system", "versions"} == set(report["machine"])
    contests = report["contests"]
    assert [(item["width"], item["height"], item["threads"]) for item in contests] == [(16, 12, 1), (16, 12, 2)]
    assert all(item["trained"] and item["rounds"] == 2 for item in contests)
    assert [item["layer"] is None for item in contests] == [False, True]
    rows = {row["contender"]: row for row in contests[0]["rows"]}
    assert list(rows) == ["scales", "bicubic", "scales upscale"]
    assert rows["scales"]["times_scales"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert rows["scales"]["cost"]["parameters"] > 0
    assert rows["bicubic"]["cost"] is rows["bicubic"]["psnr"] is None
    assert rows["scales upscale"]["peak_memory"] > 10e6
    assert report["marginals"] == []


def test_bench_prints_tables(folder, capsys, monkeypatch):
    """Within 80 columns and without colours where standard output is a pipe."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*SMALL, "-m", "tiny", "-m", "base", "--against", "bicubic"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    for text in ("scales-tiny-x4, 16x12, 1 thread, 2 rounds", "bicubic", "one binary layer", "19.1", "0.829"):
        assert text in out
    assert out.count("│ scales-base-x4 ") == out.count("│ scales-tiny-x4 ") == 1


def test_models_take_turns(folder, model, capsys):
    """Each is a rival in the contests of the others, with its own file, cost and score."""
    arguments = [*SMALL, "-s", "2", "-m", "tiny", "-m", model, "--ensemble", "2", "--against", "", "--json"]
    assert main(arguments) == 0
    contests = json.loads(capsys.readouterr().out)["contests"]
    first, second = ({row["contender"]: row for row in contest["rows"]} for contest in contests)
    names = [contest["model"] for contest in contests]
    assert (list(first), list(second)) == (["scales", names[1]], ["scales", names[0]])
    for contest, other in ((first, second), (second, first)):
        (rival,) = (row for name, row in contest.items() if name != "scales")
        assert rival["times_scales"]["median"] > 0
        for fact in ("model_bytes", "cost"):
            assert rival[fact] == other["scales"][fact] != contest["scales"][fact]


def test_bench_of_video(folder, model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    arguments = [*SMALL, "--video", "-s", "2", "-m", model]
    assert main([*arguments, "--json", "--against", "espcn,lanczos"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    (contest,) = report["contests"]
    able = {"scales", "lanczos (ffmpeg)"} if find_spec("av") else {"scales"}
    assert contest["video"]
    assert able <= {row["contender"] for row in contest["rows"]}
    assert all(row["contender"] in err for row in contest["rows"] if row["contender"] in report["skipped"])
    assert main([*arguments, "--against", ""]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "16x12 to 32x24, 1 thread, 2 rounds" in out
    assert main([*arguments, "--against", "upscale"]) == 2


def test_bench_quick_needs_no_runtime(folder, capsys, monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda module: None)
    assert main(["bench", "--quick", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["contender"] for row in report["contests"][0]["rows"]] == ["scales", "bicubic"]
    assert {"openvino-fp32", "onnxruntime", "torch-fp32"} < set(report["skipped"])


def test_bench_says_what_is_missing(folder, capsys, monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda module: None)
    assert main([*SMALL, "--against", "torch-fp32,openvino-binary"]) == 0
    lines = capsys.readouterr().err.splitlines()
    why = 'torch, openvino not installed: pip install "scales-cli[bench]"'
    assert lines == [f"scales: skipped torch-fp32, openvino-binary: {why}"]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_bench_plots(folder, suffix, capsys):
    pytest.importorskip("matplotlib")
    assert main([*SMALL, "--against", "bicubic", "-q", "--plot", f"plot{suffix}"]) == 0
    assert capsys.readouterr() == ("", "")
    assert Path(f"plot{suffix}").read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--size", "16"], 2),
        (["--size", "0x4"], 2),
        (["-t", "0"], 2),
        (["-t", "x"], 2),
        (["-s", "7"], 2),
        (["--rounds", "0"], 2),
        (["--against", "tensorflow"], 2),
        (["--plot", "a.gif"], 2),
        (["--plot", "missing/a.png"], 4),
        (["--plot", "a.png"], 4),
        (["--data", "missing"], 3),
        (["-m", "unheard-of"], 5),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bench_exit_codes(folder, capsys, arguments, code):
    before = Path("a.png").read_bytes()
    assert main(["bench", *arguments]) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert Path("a.png").read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at /proc")
def test_bench_ends_on_ctrl_c(folder, start_scales, tmp_path):
    """At once, as one line, without leaving a process or a file."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arguments = ["bench", "-m", "base", "--against", "upscale,bicubic", "--rounds", "99"]
    process = start_scales(*arguments, env=os.environ | {"TMPDIR": str(scratch)}, start_new_session=True)
    assert wait_for(lambda: list(scratch.rglob("out.ppm")) or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"scales: interrupted\n")
    assert list(scratch.iterdir()) == []
    assert wait_for(lambda: not any(str(scratch) in environment_of(path) for path in Path("/proc").glob("*/environ")))


def environment_of(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def test_bench_help_names_every_contender(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["bench", "--help"]) == 0
    out = capsys.readouterr().out
    assert not [name for name in registry.CONTENDERS if name not in out]
