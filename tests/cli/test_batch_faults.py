"""`scales batch` under kills, signals, full disks and rivals: nothing half-written, nothing lost, nothing left over."""

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.imaging.files import read_image

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc")
COUNT = 16  # pictures, some tenths of a second of work


def rounds(few, many):
    return pytest.mark.parametrize("rounds", [few, pytest.param(many, marks=pytest.mark.slow)])


@pytest.fixture
def pictures(folder, rng):
    Path("in/sub").mkdir(parents=True)
    for index in range(COUNT):
        name = f"in/{'sub/' if index % 3 else ''}{index}.png"
        save_noise(name, rng)
    return Path("in")


def save_noise(path, rng):
    Image.fromarray(rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def start(pictures, model, start_scales):
    """`scales batch in -o out -s 2` in a process of its own."""

    def run(*arguments, output="out", **options):
        return start_scales("batch", "in", "-o", output, "-s", "2", "-m", model, "-j", "2", *arguments, **options)

    return run


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err.decode()


def outputs(folder="out"):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("[!.]*.png")}


def leftovers():
    return list(Path().rglob("*.tmp"))


def wait_for(condition, seconds=60.0, pause=0.02):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(pause)
    return found


def behind(pid):
    """Lets workers finish what a batch has not heard of yet."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.3)


ENDINGS = {
    "killed": lambda pid: os.kill(pid, signal.SIGKILL),
    "killed with its workers": lambda pid: [os.kill(victim, signal.SIGKILL) for victim in [pid, *children(pid)]],
    "killed behind": lambda pid: (behind(pid), os.kill(pid, signal.SIGKILL)),
    "interrupted": lambda pid: os.kill(pid, signal.SIGINT),
    "terminated": lambda pid: os.kill(pid, signal.SIGTERM),
    "terminated behind": lambda pid: (behind(pid), os.kill(pid, signal.SIGTERM), os.kill(pid, signal.SIGCONT)),
}


@needs_proc
@rounds(7, 70)
def test_killed_batches_are_resumed(start, pictures, rng, rounds):
    """Three kills a round, at any moment: of two workers and of the rest. A third of the pictures changes each time."""
    sources = sorted(pictures.rglob("*.png"))
    order = [name for _ in range(-(-rounds // len(ENDINGS))) for name in rng.permutation(list(ENDINGS))]
    for name in order[:rounds]:
        for path in rng.permutation(sources)[: COUNT // 3]:
            save_noise(path, rng)
        process = start()
        wait_for(lambda process=process: len(children(process.pid)) == 2 or process.poll() is not None)
        for _ in range(2):
            time.sleep(rng.uniform(0, 0.3))
            if process.poll() is None and (victims := children(process.pid)):
                os.kill(rng.choice(victims), signal.SIGKILL)
        time.sleep(rng.uniform(0.1, 0.6))
        if process.poll() is None:
            ENDINGS[name](process.pid)
        process.communicate()
        for path in Path("out").rglob("[!.]*.png"):
            read_image(path)
    for path in sources[::3]:
        save_noise(path, rng)
    code, _, err = finish(start())
    assert code == 0, err
    assert not leftovers()
    assert finish(start(output="whole"))[0] == 0
    assert len(outputs()) == COUNT
    assert outputs() == outputs("whole")


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_batch_published_is_never_forgotten(start, pictures, rng, number):
    """Nor what it had not heard of when it was ended."""
    process = start()
    assert wait_for(lambda: bool(outputs()))
    os.kill(process.pid, signal.SIGSTOP)
    recorded = Path("out/.scales-batch.jsonl").read_text().count('"done"')
    assert wait_for(lambda: len(outputs()) > recorded)
    time.sleep(0.3)  # for answers to be sent
    os.kill(process.pid, number)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate()
    lines = Path("out/.scales-batch.jsonl").read_text()
    assert (lines.count('"done"') > recorded) == (number == signal.SIGTERM)
    for path in pictures.rglob("*.png"):
        save_noise(path, rng)
    code, out, err = finish(start())
    assert (code, len(out.splitlines())) == (0, COUNT), err


def children(pid):
    """The workers of a batch."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if is_worker(child)
        ]
    except OSError:  # it has ended
        return []


def is_worker(pid):
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@rounds(2, 50)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_batch_at_once(start, rng, number, code, rounds):
    """Sooner than it began, which took a second or two on a machine that has nothing else to do."""
    for _ in range(rounds):
        began = time.monotonic()
        process = start("--overwrite")
        assert wait_for(lambda: bool(outputs()))
        beginning = time.monotonic() - began
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(number)
        signalled = time.monotonic()
        got, _, err = finish(process)
        assert time.monotonic() - signalled < beginning
        assert got in (code, -number), err  # the latter where it was about to end anyway
        assert not leftovers()
        for path in Path("out").rglob("*.png"):
            read_image(path)
            path.unlink()


def kill_while_it_writes(pid):
    """Kills a worker of a batch whose picture is not published yet; whether there was one."""
    for temporary in leftovers():
        worker = int(temporary.name.split("-")[2])
        if worker not in children(pid):
            continue
        os.kill(worker, signal.SIGSTOP)
        in_work = temporary.exists() and temporary.stat().st_nlink == 1
        os.kill(worker, signal.SIGKILL if in_work else signal.SIGCONT)
        if in_work:
            return True
    return False


@needs_proc
def test_a_killed_worker_costs_one_picture(start):
    process = start()
    assert wait_for(lambda: kill_while_it_writes(process.pid), pause=0.001)
    code, _, err = finish(process)
    assert code == 1
    assert err.count("its process was killed from outside (SIGKILL)") == 1
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


def test_a_picture_that_takes_too_long_is_given_up(folder, rng, spawn):
    Path("in").mkdir()
    Image.new("RGB", (4000, 3000)).save("in/large.png")
    for name in ("a", "z"):
        Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)).save(f"in/{name}.png")
    result = spawn("batch", "in", "-o", "out", "-m", "base", "-s", "2", "-j", "1", "-t", "1", "--timeout", "2")
    assert result.returncode == 1
    assert b"scales: error: in/large.png: took longer than 2 seconds (raise --timeout)\n" in result.stderr
    assert sorted(result.stdout.split()) == [b"out/a_x2.png", b"out/z_x2.png"]
    assert sorted(path.name for path in Path("out").iterdir()) == [".scales-batch.jsonl", "a_x2.png", "z_x2.png"]
