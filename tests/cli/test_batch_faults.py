"""`scales batch` under kills, signals, full disks and rivals: nothing half-written, nothing lost, nothing left over."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.imaging.files import read_image

COUNT = 16  # pictures, some tenths of a second of work


def rounds(few, many):
    return pytest.mark.parametrize("rounds", [few, pytest.param(many, marks=pytest.mark.slow)])


@pytest.fixture
def pictures(folder, rng):
    Path("in/sub").mkdir(parents=True)
    for index in range(COUNT):
        name = f"in/{'sub/' if index % 3 else ''}{index}.png"
        Image.fromarray(rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)).save(name)
    return Path("in")


@pytest.fixture
def start(pictures, model):
    """`scales batch in -o out -s 2` in a process of its own."""
    processes = []

    def run(*arguments, output="out", **options):
        command = ["batch", "in", "-o", output, "-s", "2", "-m", model, "-j", "2", *arguments]
        process = subprocess.Popen(
            [sys.executable, "-m", "scales_cli", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err.decode()


def outputs(folder="out"):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("[!.]*.png")}


def leftovers():
    return list(Path().rglob("*.tmp"))


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@rounds(4, 200)
def test_killed_batches_are_resumed(start, rng, rounds):
    code, _, err = finish(start(output="whole"))
    assert code == 0, err
    whole = outputs("whole")
    assert len(whole) == COUNT
    for _ in range(rounds):
        process = start()
        time.sleep(rng.uniform(0.3, 1.5))
        before = len(outputs())
        process.kill()
        process.communicate()
        assert wait_for(lambda: not leftovers(), 5)
        assert len(outputs()) >= before
        assert all(outputs()[name] == whole[name] for name in outputs())
        if len(outputs()) == COUNT:
            for path in Path("out").rglob("*.png"):
                path.unlink()
    code, _, err = finish(start())
    assert code == 0, err
    assert outputs() == whole


@rounds(2, 50)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_batch_at_once(start, rng, number, code, rounds):
    for _ in range(rounds):
        process = start("--overwrite")
        assert wait_for(lambda: bool(outputs()))
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(number)
        began = time.monotonic()
        got, _, err = finish(process)
        assert time.monotonic() - began < 2
        assert got in (code, -number), err  # the latter where it was about to end anyway
        assert not leftovers()
        for path in Path("out").rglob("*.png"):
            read_image(path)
            path.unlink()


def children(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split() if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc")
def test_a_killed_worker_costs_one_picture(start):
    process = start()
    assert wait_for(lambda: bool(outputs()))
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    code, _, err = finish(process)
    assert code == 1
    assert err.count("ended with signal SIGKILL") == 1
    assert len(outputs()) == COUNT - 1
    assert not leftovers()
    assert finish(start())[0] == 0
    assert len(outputs()) == COUNT


def test_a_full_disk_is_a_failure_of_each_picture(start):
    code, out, err = finish(start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))))
    assert (code, out) == (1, b"")
    assert err.count("cannot be written: File too large") == COUNT
    assert outputs() == {}
    assert not leftovers()
    assert finish(start())[0] == 0  # which is tried again without being told to
    assert len(outputs()) == COUNT


def test_an_input_that_vanishes_is_named(start, pictures):
    process = start("-j", "1")
    assert wait_for(lambda: bool(outputs()))
    last = pictures / "sub/8.png"
    last.unlink()
    code, _, err = finish(process)
    assert code == 1
    assert f"{last}: cannot be read: No such file" in err
    assert len(outputs()) == COUNT - 1


def test_two_batches_may_share_an_output(start):
    results = [finish(process) for process in [start(), start()]]
    assert [code for code, _, _ in results] == [0, 0], results
    assert len(outputs()) == COUNT
    assert sum(len(out.splitlines()) for _, out, _ in results) == COUNT  # each was written once
    assert not leftovers()
    for path in Path("out").rglob("*.png"):
        assert read_image(path).pixels.shape == (300, 400, 3)
    assert f"{COUNT} skipped" in finish(start())[2]
