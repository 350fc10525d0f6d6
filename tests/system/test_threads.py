"""The pool of threads."""

from __future__ import annotations

import _thread
import gc
import subprocess
import sys
import threading
import time
import weakref
from functools import partial

import pytest

from scales_cli.system.threads import ThreadPool, interruptible


@pytest.mark.parametrize("count", [1, 3])
def test_thread_pool_raises_the_first_error_and_drops_the_rest(count: int) -> None:
    """Those that run when it is raised are told to stop."""
    ran, stopped = list[int](), threading.Event()

    def task(index: int) -> None:
        if index == 2:
            raise ValueError("task 2")
        if index > 2:
            assert stopped.wait(60)
            time.sleep(0.05)  # in which hundreds are dropped
        ran.append(index)

    with pytest.raises(ValueError, match="task 2"):
        ThreadPool(count).run((partial(task, index) for index in range(500)), stopped.set)
    assert len(ran) < 250


@pytest.mark.parametrize("count", [1, 3])
def test_thread_pool_maps_in_order(count: int) -> None:
    assert list(ThreadPool(count).map(lambda item: item**2, range(20))) == [item**2 for item in range(20)]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_thread_pool_works_with_the_threads_that_start(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    start, started = threading.Thread.start, []

    def start_some(thread: threading.Thread) -> None:
        if sum(other.is_alive() for other in started) >= most:
            raise RuntimeError("can't start new thread")
        start(thread)
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    pool, ran = ThreadPool(3), list[int]()
    assert list(pool.map(lambda item: item**2, range(20))) == [item**2 for item in range(20)]
    pool.run(partial(ran.append, index) for index in range(20))
    assert sorted(ran) == list(range(20))
    assert bool(started) == (most > 0)


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("late", ["threading.Thread(target=outlive).start()", "atexit.register(work)"])
def test_thread_pool_works_while_the_interpreter_ends(late: str, used: bool) -> None:
    """Before threads that outlive the main one have ended, and before what is to be done at exit, executors do."""
    code = f"""if True:
        import atexit, threading, time
        from concurrent.futures import thread
        from scales_cli.system.threads import ThreadPool, interruptible

        pool, ran = ThreadPool(2), []

        def work():
            pool.run(lambda n=n: ran.append(n) for n in range(6))
            print(sorted(ran), list(pool.map(abs, [-1, -2, -3])), interruptible(lambda: 4))

        def outlive():
            while not thread._shutdown:
                time.sleep(0.001)
            work()

        if {used}:
            pool.run([threading.Event, threading.Event])
        {late}"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "[0, 1, 2, 3, 4, 5] [1, 2, 3] 4\n")


def test_interrupts_inside_a_lock_of_the_executor_hang_nothing() -> None:
    """The n-th time that the main thread has taken one. In a process of its own, whose threads may stay locked."""
    code = """if True:
        import os, threading, time
        from scales_cli.system.threads import ThreadPool

        main, enter, left = threading.get_ident(), threading.Condition.__enter__, [0]

        def interrupted(condition):
            result = enter(condition)
            if threading.get_ident() == main:
                left[0] -= 1
                if left[0] == 0:
                    raise KeyboardInterrupt
            return result

        threading.Condition.__enter__ = interrupted
        interrupts = 0
        for number in range(1, 16):
            pool, ran = ThreadPool(2), []
            for left[0] in (number, 0):
                try:
                    pool.run([lambda: ran.append(time.sleep(0.001))] * 4)
                except KeyboardInterrupt:
                    interrupts += 1
            assert len(ran) >= 4
        print(interrupts, flush=True)
        os._exit(0)"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert int(result.stdout) > 5


@pytest.mark.parametrize(
    "refusal", ["can't start new thread", "can't create new thread at interpreter shutdown"], ids=["limit", "ending"]
)
def test_a_task_that_gets_no_thread_is_done_at_once(refusal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError(refusal)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert interruptible(threading.get_ident) == threading.get_ident()


def test_interrupts_leave_a_task_behind() -> None:
    """Which is not told, as code of C would not hear of it."""
    gate, ended = threading.Event(), threading.Event()

    def task() -> None:
        _thread.interrupt_main()
        gate.wait(20)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        interruptible(task)
    assert not ended.is_set()
    gate.set()
    assert ended.wait(20)


def test_errors_of_an_interruptible_task_keep_nothing_alive() -> None:
    class Picture:
        pass

    held: list[weakref.ref[Picture]] = []

    def task() -> None:
        picture = Picture()
        held.append(weakref.ref(picture))
        raise ValueError("broken")

    gc.disable()
    try:
        with pytest.raises(ValueError, match="broken"):
            interruptible(task)
        assert held[0]() is None
    finally:
        gc.enable()
