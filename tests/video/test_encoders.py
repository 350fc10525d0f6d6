"""What encoders take in memory is planned, and they take less where there is less."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scales_cli.video.encoders import USUAL, Effort, effort_options, most_effort
from scales_cli.video.frame import PixelFormat

MIB, FRAME = 2**20, (PixelFormat(), (640, 360))
CODECS = ["h264", "hevc", "av1", "vp9", "ffv1"]


@pytest.mark.parametrize("codec", CODECS)
def test_effort_is_the_most_that_fits(codec):
    everything, whole = most_effort(codec, *FRAME, 10**12, cores=8)
    assert everything == USUAL
    least, little = most_effort(codec, *FRAME, 0, cores=8)
    before = little
    for room in range(little, whole + MIB, MIB):
        _, needed = most_effort(codec, *FRAME, room, cores=8)
        assert needed <= room
        before = max(before, needed)
    assert before >= whole - MIB
    assert (least == USUAL) == (codec == "ffv1") or least.threads == 1


def test_frames_are_kept_before_threads():
    """So far as a half of them is concerned."""
    _, whole = most_effort("h264", *FRAME, 10**12, cores=2)
    effort, _ = most_effort("h264", *FRAME, whole - 5 * MIB, cores=2)
    assert effort.threads is None
    assert 30 < effort.lookahead < 40
    assert most_effort("h264", *FRAME, whole // 2, cores=2)[0].threads == 1


@pytest.mark.parametrize(
    ("codec", "size", "mebibytes"),
    [
        ("h264", (640, 360), 59),
        ("h264", (1280, 720), 202),
        ("hevc", (320, 180), 41),
        ("hevc", (1280, 720), 205),
        ("av1", (640, 360), 122),
        ("av1", (1280, 720), 368),
        ("vp9", (320, 180), 29),
        ("vp9", (1280, 720), 143),
        ("ffv1", (640, 360), 11),
    ],
)
def test_what_was_measured_on_two_cores(codec, size, mebibytes):
    assert 0.97 <= most_effort(codec, PixelFormat(), size, 10**12, cores=2)[1] / (mebibytes * MIB) <= 1.25


def test_encoders_are_told_in_their_words():
    effort = Effort(lookahead=5, threads=1)
    assert effort_options("h264", effort) == ({"rc-lookahead": "5"}, [])
    assert effort_options("vp9", effort) == ({"lag-in-frames": "5"}, [])
    assert effort_options("hevc", effort) == ({}, ["rc-lookahead=5", "pools=1"])
    assert effort_options("av1", effort) == ({}, ["lookahead=5", "lp=1"])
    assert all(effort_options(codec, USUAL) == ({}, []) for codec in CODECS)


MEASURE = """
import re, sys, threading, time
from pathlib import Path
from scales_cli.cli.app import main
def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
peak, done = 0, threading.Event()
def watch():
    global peak
    while not done.wait(0.005):
        peak = max(peak, anonymous())
thread = threading.Thread(target=watch)
thread.start()
code = main(["video", *sys.argv[1:]])
done.set()
thread.join()
print(code, peak)
"""


@pytest.fixture
def measured(tmp_path):
    """Exit code, peak of private memory and output of `scales video` in a process of its own."""

    def run(*arguments):
        command = [sys.executable, "-c", MEASURE, *map(str, arguments), "-t", "1"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
        *lines, last = done.stdout.splitlines()
        return (*map(int, last.split()), lines, done.stderr)

    return run


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
@pytest.mark.parametrize("codec", ["h264", pytest.param("av1", marks=pytest.mark.slow)])
def test_an_encoder_stays_within_the_limit(make_clip, measured, codec):
    """A clip of as many frames as it holds, with less memory than it takes by itself."""
    pytest.importorskip("scales_cli.engine._native")
    source = make_clip(size=(320, 180), count=48, max_b_frames=0)
    command = (source, "-o", "out.mkv", "--codec", codec, "--overwrite")
    code, _, _, err = measured(*command, "--max-memory", "60M")
    assert code == 6
    least = int(re.search(r"need (\d+) MiB", err)[1])
    code, peak, lines, err = measured(*command, "--max-memory", f"{least + 6}M", "--json")
    assert code == 0, err
    assert re.search(r"the encoder looks only \d+ frames ahead", json.loads(lines[-1])["notes"][0])
    assert peak <= (least + 6) * MIB
