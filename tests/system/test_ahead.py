"""Items made ahead: their order, their errors, and an end at any time."""

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
