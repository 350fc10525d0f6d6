"""`scales batch` under kills, signals, full disks and rivals: nothing half-written, nothing lost, nothing left over."""

import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from results import made, outputs
from waiting import alive, kill, processor_seconds, states, wait_for, workers

from scales_cli.imaging.files import read_image

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc")
COUNT = 16  # pictures, a second or two of work


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
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err.decode()


def leftovers():
    return list(Path().rglob("*.tmp"))


def behind(pid):
    """Stops a batch, and lets its workers finish what it has not heard of yet."""
    kill(pid, signal.SIGSTOP)
    assert wait_for(lambda: told_all(pid))


def told_all(pid):
    """Whether all workers of a batch sleep for a while, as they do when they wait for it."""
    for _ in range(5):
        if any(states(worker) - {"S", "Z"} for worker in workers(pid)):
            return False
        time.sleep(0.03)
    return True


ENDINGS = {
    "killed": lambda pid: kill(pid, signal.SIGKILL),
    "killed with its workers": lambda pid: [kill(victim, signal.SIGKILL) for victim in [pid, *workers(pid)]],
    "killed behind": lambda pid: (behind(pid), kill(pid, signal.SIGKILL)),
    "interrupted": lambda pid: kill(pid, signal.SIGINT),
    "terminated": lambda pid: kill(pid, signal.SIGTERM),
    "terminated behind": lambda pid: (behind(pid), kill(pid, signal.SIGTERM), kill(pid, signal.SIGCONT)),
}


@needs_proc
@rounds(len(ENDINGS), 70)
def test_killed_batches_are_resumed(start, pictures, rng, rounds):
    """Three kills a round, at any moment: of two workers and of the rest. A third of the pictures changes each time."""
    sources = sorted(pictures.rglob("*.png"))
    order = [name for _ in range(-(-rounds // len(ENDINGS))) for name in rng.permutation(list(ENDINGS))]
    seen = set()
    for name in order[:rounds]:
        for path in rng.permutation(sources)[: COUNT // 3]:
            save_noise(path, rng)
        process = start()
        wait_for(lambda process=process: len(workers(process.pid)) == 2 or process.poll() is not None)
        for _ in range(2):
            time.sleep(rng.uniform(0, 0.3))
            if victims := workers(process.pid):
                kill(rng.choice(victims), signal.SIGKILL)
        time.sleep(rng.uniform(0.1, 0.6))
        seen |= set(workers(process.pid))
        if process.poll() is None:
            ENDINGS[name](process.pid)
        process.communicate()
        for path in made():
            read_image(path)
    for path in sources[::3]:
        save_noise(path, rng)
    assert wait_for(lambda: not any(map(alive, seen)))  # or what they leave behind is theirs
    code, _, err = finish(start())
    assert (code, "exist" in err) == (0, False), err
    assert not leftovers()
    assert finish(start(output="whole"))[0] == 0
    assert len(outputs()) == COUNT
    assert outputs() == outputs("whole")


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_batch_published_is_never_forgotten(start, pictures, rng, number):
    """Nor what it had not heard of when it was ended."""
    process = start()
    assert wait_for(outputs)
    for _ in range(10):  # or none was in work, or they are more than one
        behind(process.pid)
        recorded = Path("out/.scales-batch.jsonl").read_text().count('"done"')
        if len(outputs()) > recorded:
            break
        kill(process.pid, signal.SIGCONT)
    assert len(outputs()) > recorded
    kill(process.pid, number)
    kill(process.pid, signal.SIGCONT)
    process.communicate()
    lines = Path("out/.scales-batch.jsonl").read_text()
    assert (lines.count('"done"') > recorded) == (number == signal.SIGTERM)
    for path in pictures.rglob("*.png"):
        save_noise(path, rng)
    code, out, err = finish(start())
    assert (code, len(out.splitlines())) == (0, COUNT), err


@needs_proc
@rounds(1, 50)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_batch_at_once(start, rng, number, code, rounds):
    """As soon as its first picture, the only small one, is done; all of them would take half a minute."""
    Image.new("RGB", (5, 6)).save("in/!.png")
    for _ in range(rounds):
        process = start("--overwrite", "-m", "base", "--ensemble", "8")
        assert wait_for(outputs)
        time.sleep(rng.uniform(0, 0.2))
        before = sum(map(processor_seconds, [process.pid, *workers(process.pid)]))
        process.send_signal(number)
        assert wait_for(lambda process=process: not alive(process.pid))
        assert processor_seconds(process.pid) - before < 3
        got, _, err = finish(process)
        assert got == code, err
        assert not leftovers()
        for path in Path("out").rglob("*.png"):
            read_image(path)
            path.unlink()


def kill_while_it_writes(pid):
    """Kills a worker of a batch whose picture is not published yet; whether there was one."""
    for temporary in leftovers():
        worker = int(temporary.name.split("-")[2])
        if worker not in workers(pid) or not kill(worker, signal.SIGSTOP):
            continue
        wait_for(lambda worker=worker: states(worker) <= {"T", "Z"}, pause=0.001)
        in_work = temporary.exists() and temporary.stat().st_nlink == 1
        kill(worker, signal.SIGKILL if in_work else signal.SIGCONT)
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
