"""A picture has one result, whether it is enlarged by itself or in a batch: bytes, exit codes and planned memory."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import scales_cli
from scales_cli.cli.app import main
from scales_cli.errors import UsageError

FORMATS = [None, "png", "jpg", "webp", "tif", "bmp", "ppm"]
SAMPLE = [None, "webp"]  # the first writes every kind in its own format


def save_still(path, rng, *, channels=3, **options):
    Image.fromarray(rng.integers(0, 256, (9, 12, channels), dtype=np.uint8)).save(path, **options)


def save_deep(path, rng):
    Image.fromarray(rng.integers(0, 65536, (9, 12), dtype=np.uint16)).save(path)


def save_frames(path, rng):
    frames = [Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)) for _ in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)


def save_described(path, rng):
    exif = Image.Exif()
    exif.update({271: "maker", 34665: {33434: 0.1}})
    save_still(path, rng, exif=exif)


def save_with_texts(path, rng):
    texts = PngImagePlugin.PngInfo()
    for keyword in ("parameters", "workflow", "Title", "Comment"):
        texts.add_text(keyword, f"of {keyword}")
    save_still(path, rng, pnginfo=texts)


KINDS = {
    "texts.png": save_with_texts,
    "still.png": save_still,
    "transparent.png": lambda path, rng: save_still(path, rng, channels=4),
    "deep.png": save_deep,
    "deep.tif": save_deep,
    "frames.gif": save_frames,
    "frames.png": save_frames,
    "lossy.jpg": save_described,
    "lossy.webp": lambda path, rng: save_still(path, rng, quality=60),
    "lossless.webp": lambda path, rng: save_still(path, rng, lossless=True),
    "broken.png": lambda path, rng: path.write_bytes(b"\x89PNG\r\n\x1a\n"),
}


@pytest.mark.parametrize("frames", ["first", "all"])
@pytest.mark.parametrize(
    "image_format", [pytest.param(name, marks=[] if name in SAMPLE else pytest.mark.slow) for name in FORMATS]
)
def test_batch_equals_upscale(folder, model, forked, rng, capfdbinary, image_format, frames):
    options = ["-s", "2", "-m", model, "-t", "1", "--json", "--frames", frames]
    options += ["--metadata", "keep", *(["--format", image_format] if image_format else [])]
    expected = {}
    for kind, save in KINDS.items():
        source = Path(f"in-{kind.replace('.', '-')}", kind)  # in folders of their own: results may share a name
        source.parent.mkdir()
        save(source, rng)
        code = main(["upscale", str(source), "-o", f"single/{source.parent}/", *options])
        captured = capfdbinary.readouterr()
        expected[str(source)] = code, *said(captured.out, captured.err.decode())
    folders = [f"in-{kind.replace('.', '-')}" for kind in KINDS]
    Path("all").mkdir()
    for name in folders:
        Path(name).rename(Path("all", name))
    main(["batch", "all", "-o", "many", "-j", "1", *options])
    got = {}
    for line in capfdbinary.readouterr().out.splitlines():
        values = json.loads(line)
        source = Path(values["input"]).relative_to("all")
        got[str(source)] = values.get("exit_code", 0), *said(line)
    assert got == expected
    written = {code for code, *_ in expected.values()}
    assert written == ({0, 3, 4} if frames == "all" and image_format in ("jpg", "tif", "bmp", "ppm") else {0, 3})
    assert files("many") == files("single")


def said(line, error=""):
    """The notes, the width and the message, without the path before it and the hint behind it."""
    values = json.loads(line) if line.strip() else {"error": error}
    return values.get("notes"), values.get("width"), values.get("error", "").rsplit(": ")[-1].split(" (")[0]


def files(folder):
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize(("image_format", "code"), [("webp", 6), ("tif", 0)])
def test_batch_plans_the_memory_of_upscale(folder, model, spawn, image_format, code):
    Path("in").mkdir()
    Image.new("RGB", (800, 600)).save("in/a.png")
    options = ["-s", "2", "-m", model, "-t", "1", "--json", "--format", image_format, "--max-memory", "130M"]
    assert spawn("upscale", "in/a.png", "-o", "single/", *options).returncode == code
    line = json.loads(spawn("batch", "in", "-o", "out", "-j", "1", *options).stdout)
    assert line.get("exit_code", 0) == code


def test_results_have_the_times_of_their_inputs(folder, model, forked, capfd):
    os.utime("a.png", ns=(0, 1_234_567_890_123_456_789))
    Path("in").mkdir()
    shutil.copy2("a.png", "in/a.png")
    options = ["-s", "2", "-m", model, "-t", "1"]
    assert main(["upscale", "a.png", "-o", "kept.png", "--keep-times", *options]) == 0
    assert main(["batch", "in", "-o", "out", "-j", "1", "--keep-times", *options]) == 0
    scales_cli.upscale_file("a.png", "python.png", model=model, scale=2, keep_times=True)
    for name in ("kept.png", "out/a_x2.png", "python.png"):
        assert Path(name).stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert main(["batch", "in", "-o", "out", "-j", "1", "--keep-times", *options]) == 0  # and is known as done
    assert "1 skipped" in capfd.readouterr().err
    assert main(["upscale", "a.png", "-o", "now.png", *options]) == 0
    assert Path("now.png").stat().st_mtime > 1_700_000_000


def test_what_is_no_file_has_no_time(upscale, model):
    code, out, error = upscale("--keep-times", "a.png", "-o", "-")
    assert (code, out) == (2, b"")
    assert "file to file" in error
    with pytest.raises(UsageError):
        scales_cli.upscale_file(Path("a.png").read_bytes(), "b.png", model=model, scale=2, keep_times=True)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no process's own memory")
@pytest.mark.parametrize("more", [0, *(pytest.param(more, marks=pytest.mark.slow) for more in (-12, -6, 3, 10, 30))])
def test_a_tight_limit_holds_for_each_of_equal_pictures(folder, model, spawn, rng, more):
    """Whatever the pictures before it have left in a worker: only the batch's own process counts beside."""
    Path("in").mkdir(exist_ok=True)
    for name in ("in/a.png", "in/b.png", "in/c.png"):
        Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(name)
    options = ["-s", "2", "-m", model, "-t", "1", "--format", "webp", "--json"]
    refused = spawn("batch", "in", "-o", "none", "--max-memory", "50M", *options).stdout.splitlines()
    needs = {int(re.search(rb"need (\d+) MiB", line)[1]) for line in refused}
    assert max(needs) - min(needs) <= 1
    done = spawn("batch", "in", "-o", "out", "--max-memory", f"{max(needs) + more}M", *options)
    assert {json.loads(line).get("exit_code", 0) for line in done.stdout.splitlines()} == {6 if more < 0 else 0}
    alone = spawn("upscale", "in/a.png", "-o", "a.webp", "--max-memory", "1M", *options[:-1])
    need = int(re.search(rb"need (\d+) MiB", alone.stderr)[1])
    assert need < max(needs) <= need + 35  # as the README says, and what varies
