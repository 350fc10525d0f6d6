import os
import subprocess
import sys
from pathlib import Path

import pytest
from forks import forking
from PIL import Image

import scales_cli
from scales_cli.cli.app import main
from scales_cli.evaluation.drawn import drawn_pictures

pytest.importorskip("scales_cli.engine._native")


HOSTILE = [
    "-.png", "--help.png", "-s 4.png", "a b.png", " a.png", "a .png", "a..png", "a.png.png", "~.png", "$HOME.png",
    "`id`.png", ";ls.png", "|cat.png", "&.png", "#.png", "*.png", "[a].png", "[bold red]x.png", "{stem}.png",
    "%s %d%%.png", "'\".png", "\\.png", "\n.png", "\t\r.png", "\x1b[2J\x1b[31m.png", "\u202egnp.png", "\u2028.png",
    "e\u0301.png", "\xe9.png", "\U0001f4f7.png", "\udcff\udcfe.png", "con.png", "x" * 251 + ".png",
]  # fmt: skip


def pytest_generate_tests(metafunc):
    """`hostile_name` runs a test with each of them."""
    if "hostile_name" in metafunc.fixturenames:
        metafunc.parametrize("hostile_name", HOSTILE, ids=ascii)


@pytest.fixture
def hostile_names():
    return HOSTILE


@pytest.fixture(autouse=True)
def source_tree(monkeypatch):
    """Lets new processes import this package whether it is installed or not."""
    parent = str(Path(scales_cli.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [parent, os.environ.get("PYTHONPATH")])))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with one picture in it."""
    for name in ("SCALES_MODEL", "SCALES_THREADS", "SCALES_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Image.linear_gradient("L").resize((12, 9)).convert("RGB").save("a.png")
    return folder


@pytest.fixture
def forked():
    """Workers of a batch in this process are there in no time."""
    with forking():
        yield


@pytest.fixture
def small_drawn(monkeypatch):
    """Corners of the drawn pictures, in their place where models are scored."""
    corners = {name: picture[:144, :144] for name, picture in drawn_pictures().items()}
    monkeypatch.setattr("scales_cli.evaluation.degraded.drawn_pictures", lambda: corners)


@pytest.fixture
def model(weights_file):
    return str(weights_file(2))


@pytest.fixture
def upscale(folder, model, capfdbinary):
    """`scales upscale -s 2` in this process: exit code, stdout, stderr."""

    def run(*arguments):
        code = main(["upscale", "-s", "2", "-m", model, "-t", "1", *arguments])
        captured = capfdbinary.readouterr()
        return code, captured.out, captured.err.decode()

    return run


@pytest.fixture
def spawn():
    """`scales` in a process of its own."""

    def run(*arguments, **options):
        command = [sys.executable, "-m", "scales_cli", *arguments]
        return subprocess.run(command, capture_output="stdout" not in options, timeout=300, check=False, **options)

    return run
