"""Builtins serve as what workers make: they can be imported in any process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import alive, children, wait_for, workers

from scales_cli.system.endings import ending
from scales_cli.system.processes import Worker, WorkerEndedError, WorkerError


def ended(pids):
    return wait_for(lambda: not any(map(alive, pids)), 40)


@pytest.fixture
def start():
    workers = []

    def run(*arguments, **environment):
        workers.append(Worker(*arguments, **environment))
        return workers[-1]

    yield run
    for worker in workers:
        worker.kill()


def test_worker_calls_methods(start):
    worker = start(str, "text")
    assert worker.wait() is None
    assert [worker.call("upper"), worker.call("lower")] == ["TEXT", "text"]


def test_worker_passes_arguments(start):
    worker = start(str, "a-b")
    worker.wait()
    assert worker.call("split", "-") == ["a", "b"]


def test_worker_tells_what_was_raised(start):
    with pytest.raises(WorkerError, match="ValueError: invalid literal"):
        start(int, "x").wait()
    worker = start(dict)
    worker.wait()
    with pytest.raises(WorkerError, match="KeyError"):
        worker.call("popitem")


def test_worker_that_dies_is_an_error(start):
    with pytest.raises(WorkerError, match="ended with code 7"):
        start(os._exit, 7).wait()


def test_worker_sets_the_environment(start):
    worker = start(os.getenv, "OMP_NUM_THREADS", OMP_NUM_THREADS="3")
    worker.wait()
    assert worker.call("strip") == "3"


def test_worker_is_quiet(start, capfd):
    worker = start(print, "noise")
    worker.wait()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("SIGSEGV", "its process crashed (SIGSEGV)", ""),
        ("SIGBUS", "its process crashed (SIGBUS)", ""),
        ("SIGABRT", "its process crashed (SIGABRT)", ""),
        ("SIGILL", "its process crashed (SIGILL)", ""),
        ("SIGHUP", "its process was ended from outside (SIGHUP)", ""),
        ("SIGTERM", "its process was ended from outside (SIGTERM)", ""),
        ("SIGXCPU", "its processor time was used up", "raise `ulimit -t`"),
        ("SIGKILL", "its process was killed from outside (SIGKILL)", ""),
    ],
)
def test_worker_says_what_is_known_of_its_end(start, name, words, hint):
    with pytest.raises(WorkerEndedError) as caught:
        start(signal.raise_signal, getattr(signal, name)).wait()
    assert str(caught.value).removesuffix(", maybe for want of memory") == words
    assert caught.value.hint == hint or name == "SIGKILL"


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (3, 3, "from outside (SIGKILL)"),
        (3, 4, "by the system, which had too little memory"),
        (None, None, "from outside (SIGKILL), maybe for want of memory"),
    ],
)
def test_ending_knows_whom_the_system_killed(monkeypatch, before, now, words):
    monkeypatch.setattr("scales_cli.system.endings.memory_kills", lambda: now)
    message, hint = ending(-9, before)
    assert message == f"its process was killed {words}"
    assert bool(hint) == (now != 3)


HOLD = """if True:
    import pathlib, time
    from scales_cli.system import processes
    processes._PATIENCE = 60  # on a busy machine
    path = pathlib.Path({path!r})
    try:
        path.touch()
        time.sleep(600)
    finally:
        path.unlink()"""


def test_stop_lets_a_worker_clean_up(start, tmp_path):
    path = tmp_path / "held"
    worker = start(exec, HOLD.format(path=str(path)))
    assert wait_for(path.exists)
    worker.stop(60)
    assert not path.exists()


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@needs_proc
def test_kill_ends_what_a_worker_started(start):
    worker = start(subprocess.Popen, SLEEP)
    worker.wait()
    worker.ask("wait")
    pids = [worker._process.pid, *children(worker._process.pid)]
    assert len(pids) == 2
    worker.kill()
    assert ended(pids)


@needs_proc
def test_workers_end_with_a_parent_that_is_killed():
    script = f"""if __name__ == "__main__":
        import subprocess, sys, time
        from scales_cli.system.processes import Worker
        worker = Worker(subprocess.Popen, {SLEEP!r})
        worker.wait()
        worker.ask("wait")
        print(worker._process.pid, flush=True)
        time.sleep(600)"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        pids = [pid, *children(pid)]
        parent.kill()
    assert len(pids) == 2
    assert ended(pids)


@needs_proc
def test_workers_clean_up_after_a_parent_that_is_killed(tmp_path):
    path = tmp_path / "held"
    script = f"""if __name__ == "__main__":
        import time
        from scales_cli.system.processes import Worker
        worker = Worker(exec, {HOLD.format(path=str(path))!r})
        time.sleep(600)"""
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        assert wait_for(path.exists)
        (pid,) = workers(parent.pid)
        parent.kill()
    assert ended([pid])
    assert not path.exists()
