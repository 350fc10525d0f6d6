"""Items made ahead: their order, their errors, and an end at any time."""

import subprocess
import sys
import threading
import time

import pytest

from scales_cli.system.ahead import Ahead


def test_items_come_in_their_order():
    with Ahead(iter(range(100)), 3, threading.Event()) as items:
        assert list(items) == list(range(100))


def test_no_more_than_asked_for_are_made():
    made = []

    def make():
        for item in range(100):
            made.append(item)
            yield item

    with Ahead(make(), 3, threading.Event()) as items:
        assert next(items) == 0
        time.sleep(0.3)
        assert len(made) <= 5  # the one taken, three that wait, one that cannot be put


def test_an_error_comes_in_its_place():
    def make():
        yield 1
        raise ValueError("broken")

    with Ahead(make(), 3, threading.Event()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="broken"):
            next(items)


def test_what_has_ended_stays_ended():
    with Ahead(iter([1]), 2, threading.Event()) as items:
        assert [next(items, None) for _ in range(3)] == [1, None, None]


def test_stages_end_together():
    """The second waits for the first, which waits for nobody: both end when either is left."""
    closed, hold = threading.Event(), threading.Event()

    def make():
        yield 1
        hold.wait(120)

    before = threading.active_count()
    with (
        Ahead(make(), 3, closed, leave_seconds=60) as first,
        Ahead(map(abs, first), 3, closed, leave_seconds=60) as second,
    ):
        assert next(second) == 1
        timer = threading.Timer(0.2, hold.set)
        timer.start()
        started = time.monotonic()
    assert time.monotonic() - started < 30
    timer.join()
    assert threading.active_count() <= before


def test_interrupts_hang_nothing():
    """At any line that the main thread runs to take an item, the standard library's among them."""
    code = """if True:
        import os, sys, threading
        from scales_cli.system.ahead import Ahead

        left = 0

        def interrupted(frame, event, argument):
            global left
            if event == "line":
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
            return interrupted

        interrupts = 0
        for number in range(1, 40):
            with Ahead(iter(range(9)), 3, threading.Event(), leave_seconds=None) as items:
                next(items)
                left = number
                sys.settrace(interrupted)
                try:
                    next(items)
                    next(items)
                except KeyboardInterrupt:
                    interrupts += 1
                finally:
                    sys.settrace(None)
        print(interrupts, flush=True)
        os._exit(0)"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert int(result.stdout) > 5
