"""Disks that are full: exit code 4, the file that was there before or none, and never a part of one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

resource = pytest.importorskip("resource")

FORMATS = ["png", "jpg", "webp", "tif", "bmp", "ppm"]
PLACES = [0.0, 0.2, 0.5, 0.8, 1.0]  # of the file, where the disk is full; at 1 only the last byte does not fit
ROOM = 500  # bytes, for what standard error is captured in
DEFAULT = [("png", 0.5), ("tif", 1.0), ("bmp", 0.0)]
CASES = [
    pytest.param(extension, place, marks=[] if (extension, place) in DEFAULT else pytest.mark.slow)
    for extension in FORMATS
    for place in PLACES
]


@contextlib.contextmanager
def files_end_at(size):
    """As on a disk with this much room: a write beyond it stops half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def photo(folder, rng):
    Image.fromarray(rng.integers(0, 256, (120, 240, 3), dtype=np.uint8)).save("photo.png")
    return "photo.png"


def state():
    return {path.as_posix(): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(("extension", "place"), CASES)
def test_upscale_on_a_full_disk(upscale, photo, extension, place):
    assert upscale("a.png", "-o", "out/")[0] == 0  # an earlier output
    target = f"out/new/photo.{extension}"
    assert upscale(photo, "-o", target)[0] == 0
    whole = Path(target).read_bytes()
    shutil.rmtree("out/new")
    end = max(ROOM, round(place * (len(whole) - 1)))
    for before in (None, b"precious"):
        if before is not None:
            Path("out/new").mkdir()
            Path(target).write_bytes(before)
        seen = state()
        with files_end_at(end):
            code, out, err = upscale(photo, "-o", target, "--overwrite")
        assert (code, out) == (4, b"")
        assert err.startswith(f"scales: error: {photo}: {target}: cannot be written: File too large")
        assert err.count("\n") == 1
        assert state() == seen
        assert Path("out/new").exists() == (before is not None)
    assert upscale(photo, "-o", target, "--overwrite")[0] == 0
    assert Path(target).read_bytes() == whole


@pytest.mark.parametrize("end", [ROOM, 5000])
def test_upscale_to_standard_output_with_a_full_temporary_folder(upscale, photo, end):
    seen = state()
    with files_end_at(end):
        code, out, err = upscale(photo, "-o", "-")
    assert (code, out) == (4, b"")
    assert "TMPDIR" in err
    assert err.count("\n") == 1
    assert state() == seen


def test_upscale_of_several_goes_on_with_what_fits(upscale, photo):
    with files_end_at(5000):
        code, out, err = upscale(photo, "a.png", "-o", "out/")
    assert (code, out) == (1, b"out/a_x2.png\n")
    assert "File too large" in err
    assert set(state()) == {"a.png", photo, "out/a_x2.png"}


@pytest.mark.slow
@pytest.mark.parametrize("pages", [0, 1, 4])
@pytest.mark.parametrize("extension", FORMATS)
def test_upscale_on_a_file_system_that_is_full(folder, photo, model, extension, pages):
    """Of memory, in a name space of its own, where the system allows that."""
    Path("small").mkdir()
    script = f"""
        mount -t tmpfs -o size={(pages + 1) * 4096} none small || exit 77
        head -c 4096 /dev/zero > small/filler
        "{sys.executable}" -m scales_cli upscale {photo} -s 2 -m "{model}" -o small/photo.{extension}
        echo code $? && ls -A small
    """
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare")
    result = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if result.returncode in (1, 77):
        pytest.skip("no file system can be mounted")
    assert result.stdout == "code 4\nfiller\n"
    assert "No space left on device" in result.stderr
    assert result.stderr.count("\n") == 1
