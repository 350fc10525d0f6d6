"""Files that are made to take much memory or time take no more than is foretold, or are refused; see `bombs`."""

import subprocess
import sys
from pathlib import Path

import pytest
from bombs import BOMBS, write_bomb

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")

# One of each kind; the others are no less likely to break, but take longer than all this is worth on each change.
SAMPLE = [
    "png-exif", "png-numbers_of_exif", "png-unknown_late_chunk", "png-texts", "png-compressed_texts",
    "png-profiles", "png-empty_pixel_chunks", "jpeg-application", "jpeg-exif", "jpeg-fill_bytes",
    "jpeg-junk_to_the_end", "jpeg-scans", "tiff-pages",
    "tiff-unknown_tag", "tiff-strips", "ppm-comment", "ppm-comments", "ppm-plain_comments",
    "gif-comments", "gif-controls", "gif-junk", "gif-frames", "webp-unknown_chunk", "webp-frames", "avif-items",
    "avif-boxes_in_boxes", "avif-extents", "j2k-tiles", "j2k-packets", "jxl-compressed_record", "jp2-header",
    "bmp-header", "ico-compressed_texts",
]  # fmt: skip
COMPRESSED = ("compressed", "scans")  # whose size is that of the file, not of what comes of it
SLACK = 12 * 2**20  # libraries that are loaded on demand, and what is read of a file at a time
SECONDS = 3  # of a core, on any; the sizes below took the first version of this program up to hours

READ = """
import re, sys, time
from pathlib import Path
from scales_cli.errors import InputError
from scales_cli.imaging.files import probe_image, read_image

def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

for name in sys.stdin.read().split():
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten
    before, started = resident("VmRSS"), time.process_time()
    try:
        foretold = probe_image(name).decoding_bytes
        read_image(name)
    except InputError as error:
        foretold = 0
    print(name, resident("VmHWM") - before, foretold, time.process_time() - started)
"""

UPSCALE = """
import re, sys
from pathlib import Path
from scales_cli.cli.app import main
code = main(["upscale", sys.argv[1], "-o", "out.png", "--overwrite", "-s", "2", "-m", "tiny", "--max-memory", "160M"])
print(code, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def size_of(name, large):
    return max(2**17, large // 256) if any(word in name for word in COMPRESSED) else large


@pytest.mark.parametrize("names", [SAMPLE, pytest.param(list(BOMBS), marks=pytest.mark.slow)], ids=["sample", "all"])
def test_bombs_take_what_is_foretold(tmp_path, names):
    """In one process that reads them all, each of 8 MiB."""
    paths = {name: tmp_path / f"{name}.{name.partition('-')[0]}" for name in names}
    for name, path in paths.items():
        write_bomb(name, size_of(name, 2**23), path)
    run = subprocess.run(
        [sys.executable, "-c", READ], input="\n".join(map(str, paths.values())), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    failures = []
    for line in run.stdout.splitlines():
        path, rise, foretold, seconds = line.split()
        if int(rise) > int(foretold) + SLACK or float(seconds) > SECONDS:
            failures.append(f"{path} took {int(rise) / 2**20:.1f} MiB and {seconds} s")
    assert not failures
    assert len(run.stdout.splitlines()) == len(paths)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_through_the_program(tmp_path, name):
    """64 MiB, within 160 MiB of memory in all, libraries included."""
    path = tmp_path / f"bomb.{name.partition('-')[0]}"
    write_bomb(name, size_of(name, 2**26), path)
    run = subprocess.run(
        [sys.executable, "-c", UPSCALE, path], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    code, peak = map(int, run.stdout.split()[-2:])
    assert code in (0, 3, 6), run.stderr
    assert peak <= 160
    assert len([line for line in run.stderr.splitlines() if "error" in line]) == (code != 0)
