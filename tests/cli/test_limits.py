"""--max-memory, --max-pixels and --tile: promises that are kept, refusals before any work, and never another result."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

PROC = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no process's own memory")


def peak_of(*arguments: str, stdin: BinaryIO | None = None) -> tuple[int, float]:
    """Exit code and peak of anonymous memory in MiB of `scales` with these arguments."""
    with subprocess.Popen([sys.executable, "-m", "scales_cli", *arguments], stdin=stdin) as process:
        status, peak = Path(f"/proc/{process.pid}/status"), 0
        while process.poll() is None:
            match = re.search(r"RssAnon:\s+(\d+)", status.read_text())
            peak = max(peak, int(match[1]) if match else 0)
            time.sleep(0.002)
    return process.returncode, peak / 1024


@pytest.fixture
def photo(folder):
    """A picture that is streamed, with detail everywhere."""
    pixels = np.random.default_rng(3).integers(0, 256, (75, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((800, 600), Image.Resampling.BICUBIC).save("photo.jpg", quality=90)
    return "photo.jpg"


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@PROC
@pytest.mark.parametrize("target", ["out.jpg", "out.tif", slow("out.png"), slow("out.ppm"), slow("out.bmp")])
def test_upscale_keeps_within_max_memory(photo, target):
    code, peak = peak_of("upscale", photo, "-o", target, "-m", "tiny", "--max-memory", "80M")
    assert code == 0
    assert peak <= 80
    with Image.open(target) as large:
        assert large.size == (3200, 2400)


@PROC
@pytest.mark.parametrize("shape", [(40_000, 1), (1, 40_000), slow((15_000, 17)), slow((40, 7000))], ids=str)
@pytest.mark.parametrize("tile", [[], slow(["--tile", "640"])], ids=str)
def test_upscale_takes_no_more_than_it_says(spawn, folder, shape, tile):
    """Also where pictures are so narrow or flat that rows or tiles are mostly overhead."""
    check_need(spawn, shape, tile)


@PROC
@pytest.mark.parametrize(
    ("shape", "model"),
    [
        pytest.param((40, 7000), "tiny", id="streamed"),
        pytest.param((300, 310), "tiny", id="whole", marks=pytest.mark.slow),
        pytest.param((600, 700), "photo-tiny", id="chroma", marks=pytest.mark.slow),
    ],
)
def test_an_ensemble_takes_no_more_than_it_says(spawn, folder, shape, model):
    check_need(spawn, shape, ["--ensemble", "8", "-m", model])


def check_need(spawn, shape, options):
    Image.fromarray(np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)).save("odd.png")
    arguments = ["upscale", "odd.png", "-o", "out.png", "-s", "4", "-m", "tiny", *options]
    refusal = spawn(*arguments, "--max-memory", "1M")
    assert refusal.returncode == 6
    need = re.search(rb"need (\d+) MiB", refusal.stderr)[1].decode()
    code, peak = peak_of(*arguments, "--max-memory", f"{need}M")
    assert code == 0
    assert peak <= int(need)


@PROC
def test_standard_input_is_not_held_in_memory(folder):
    """A PPM of 60 MB; its header alone shows that the result is too large."""
    with Path("big.ppm").open("wb") as file:
        file.write(b"P6 20000 1000 255\n")
        file.truncate(60_000_020)
    with Path("big.ppm").open("rb") as stream:
        code, peak = peak_of("upscale", "-", "-o", "out.png", "--max-pixels", "100M", stdin=stream)
    assert code == 3
    assert peak < 60


@PROC
@pytest.mark.slow
def test_upscale_of_a_huge_picture_keeps_within_max_memory(folder):
    """A quarter of 12 000 x 9 000 in a quarter of 1 GiB."""
    pixels = np.random.default_rng(3).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((6000, 4500), Image.Resampling.BICUBIC).save("huge.jpg", quality=90)
    code, peak = peak_of("upscale", "huge.jpg", "-m", "tiny", "--max-memory", "256M")
    assert code == 0
    assert peak <= 256


@pytest.fixture
def upscale_alone(spawn, model):
    """`upscale` in a process of its own, whose memory is not that of these tests."""

    def run(*arguments):
        result = spawn("upscale", "-s", "2", "-m", model, *arguments)
        return result.returncode, result.stdout, result.stderr.decode()

    return run


@pytest.mark.parametrize("extension", ["png", slow("jpg"), slow("tif")])
def test_limits_do_not_change_the_file(photo, upscale_alone, extension):
    files = set()
    for number, options in enumerate([[], ["--max-memory", "80M"], ["--tile", "100"], ["-t", "3", "--tile", "640"]]):
        code, _, err = upscale_alone(photo, "-o", f"{number}.{extension}", *options)
        assert (code, err) == (0, "")
        files.add(Path(f"{number}.{extension}").read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("target", ["out.png", "out.webp"])
def test_too_little_memory_is_refused_before_work(upscale_alone, photo, target):
    code, out, err = upscale_alone(photo, "-o", target, "--max-memory", "60M")
    assert (code, out) == (6, b"")
    assert re.search(r"photo.jpg: 800 x 600 pixels need \d+ MiB.*60 MiB are allowed \(raise --max-memory", err)
    assert err.count("\n") == 1
    assert not Path(target).exists()


def test_memory_that_does_not_suffice_for_one_of_several_pictures(upscale_alone, photo):
    Image.new("RGB", (4000, 3000)).save("large.png")
    code, out, err = upscale_alone("large.png", photo, "-o", "out/", "--max-memory", "75M")
    assert (code, out) == (1, b"out/photo_x2.jpg\n")
    assert "large.png: 4000 x 3000 pixels need" in err


def test_a_rotated_picture_takes_what_it_takes(upscale_alone, photo):
    """Its orientation is known before it is decoded, and so are its memory and the size of the result."""
    with Image.open(photo) as image:
        exif = image.getexif()
        exif[274] = 6
        image.save("turned.jpg", exif=exif, quality=90)
    assert upscale_alone("turned.jpg", "-o", "turned.png", "--max-memory", "90M")[0] == 0
    with Image.open("turned.png") as large:
        assert large.size == (1200, 1600)


@pytest.mark.parametrize(
    ("limit", "code"), [("108", 0), ("107", 3), ("1K", 0), ("1.5k", 0), ("1G", 0), ("2GiB", 0), ("1MB", 0)]
)
def test_max_pixels_limits_the_result(upscale, limit, code):
    """The sample has 12 x 9 pixels; the result 4 times as many."""
    limit = str(4 * int(limit)) if limit.isdigit() else limit
    result, _, err = upscale("a.png", "--max-pixels", limit)
    assert result == code
    if code:
        assert "a.png: the result would have 24 x 18 pixels, more than the 428 allowed (raise --max-pixels" in err


@pytest.mark.parametrize("option", ["--max-memory", "--max-pixels"])
@pytest.mark.parametrize("value", ["", "0", "-1", "2T", "G", "1e9", "12x", "9" * 400])
def test_sizes_that_are_none_are_refused(upscale, option, value):
    code, _, err = upscale("a.png", f"{option}={value}")
    assert code == 2
    assert "500M or 2G" in err


def test_tiles_too_small_to_be_meant_are_refused(upscale):
    assert upscale("a.png", "--tile", "15")[0] == 2
