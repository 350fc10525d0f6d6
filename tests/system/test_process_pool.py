import sys
import time

import pytest

from scales_cli.system.process_pool import WorkerPool
from scales_cli.system.processes import Worker, WorkerError

OBJECTS = """
import itertools, os, signal, time

class Calculator:
    def __init__(self, report, base):
        self.report, self.base = report, base

    def add(self, number):
        if number == 3:
            signal.raise_signal(signal.SIGSEGV)
        if number == 5:
            raise ValueError("five")
        self.report(0.5)
        time.sleep(0.15)
        return self.base + number

    def nap(self, number):
        time.sleep(1)
        return number

    def rest(self, number):
        time.sleep(60)

    def hold(self, number):
        self.report(0.5)
        max(itertools.repeat(number))  # as a decoder holds: nothing is heard before it returns

    def pid(self, number):
        return os.getpid()

class Broken:
    def __init__(self, report):
        raise RuntimeError("broken from the start")
"""


@pytest.fixture
def objects(tmp_path, monkeypatch):
    """A module that worker processes can import, too."""
    (tmp_path / "pool_objects.py").write_text(OBJECTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pool_objects", raising=False)
    import pool_objects

    return pool_objects


def call(method):
    return lambda task: (method, task)


def test_no_shared_memory_is_needed(objects, monkeypatch):
    """Which some containers do not have."""
    monkeypatch.setattr("multiprocessing.heap.Arena.__init__", lambda *_: pytest.fail("shared memory was asked for"))
    with WorkerPool(1, objects.Calculator, 100) as pool:
        assert [answer for _, answer, _ in pool.run([1], call(objects.Calculator.add))] == [101]


def test_a_dying_worker_costs_its_task_only(objects):
    with WorkerPool(2, objects.Calculator, 100) as pool:
        answers = {task: answer for task, answer, _ in pool.run(range(8), call(objects.Calculator.add))}
    assert {task: answer for task, answer in answers.items() if task not in (3, 5)} == {
        task: 100 + task for task in (0, 1, 2, 4, 6, 7)
    }
    assert "SIGSEGV" in str(answers[3])
    assert "ValueError: five" in str(answers[5])


def test_pool_shows_the_progress(objects):
    seen = set()
    with WorkerPool(1, objects.Calculator, 0) as pool:
        list(pool.run([1, 2], call(objects.Calculator.add), lambda running: seen.update(running)))
    assert {(1, 0.5), (2, 0.5)} <= seen


def test_pool_keeps_and_recycles_workers(objects, monkeypatch):
    monkeypatch.setattr("scales_cli.system.process_pool._TASKS_OF_A_WORKER", 2)
    with WorkerPool(1, objects.Calculator, 0) as pool:
        pids = [answer for _, answer, _ in pool.run(range(4), call(objects.Calculator.pid))]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_pool_tells_that_workers_cannot_start(objects):
    with WorkerPool(2, objects.Broken) as pool:
        answers = [answer for _, answer, _ in pool.run(range(3), call(objects.Calculator.add))]
    assert len(answers) == 3
    assert all(isinstance(answer, WorkerError) and "broken from the start" in str(answer) for answer in answers)


def test_pool_replaces_workers_by_their_answers(objects):
    with WorkerPool(1, objects.Calculator, 0) as pool:
        seen = []
        for _, answer, _ in pool.run(range(4), call(objects.Calculator.pid), keep=lambda answer: answer in seen):
            seen.append(answer)
        assert len(set(seen)) == 4
        pool.renew(2)
        assert next(pool.run([1], call(objects.Calculator.pid)))[1] not in seen


def test_time_in_which_the_pool_was_stopped_is_nobodys(objects):
    """As by Ctrl-Z, while workers go on."""
    stops = [2.5]
    with WorkerPool(1, objects.Calculator, 0, timeout=1.8) as pool:
        running = pool.run([0, 1], call(objects.Calculator.nap), lambda _: time.sleep(stops.pop() if stops else 0))
        answers = []
        for _, answer, _ in running:
            answers.append(answer)
            stops.append(2.5)
    assert answers == [0, 1]


def test_what_was_given_last_is_left_if_that_broke_it_off(objects):
    with WorkerPool(1, objects.Calculator, 10) as pool:
        running = pool.run([1, 2, 4], call(objects.Calculator.add))
        next(running)
        second = next(running)
        running.close()
        assert pool.close() == [second]
    with WorkerPool(1, objects.Calculator, 10) as pool:
        assert [answer for _, answer, _ in pool.run([1, 2], call(objects.Calculator.add))] == [11, 12]
        assert pool.close() == []


def test_a_worker_that_takes_too_long_is_ended(objects):
    """The time counts from when it begins with the task, not from when it is started."""
    with WorkerPool(2, objects.Calculator, 0, timeout=0.5) as pool:
        answers = {task: answer for task, answer, _ in pool.run(range(2), call(objects.Calculator.rest))}
        assert all(isinstance(answer, WorkerError) for answer in answers.values())
        assert str(answers[0]) == "took longer than 0.5 seconds"
        assert answers[0].hint == "raise --timeout"
        again = [answer for _, answer, _ in pool.run(range(5), call(objects.Calculator.pid))]
        assert any(isinstance(answer, int) for answer in again)  # not each, on a machine that is busy


def test_a_pool_ends_in_time_whatever_its_workers_do(objects, monkeypatch):
    """It waits for all of them together as long as for one."""

    def interrupt(running):
        if [fraction for _, fraction in running] == [0.5, 0.5]:
            raise KeyboardInterrupt

    waits, end = [], Worker.end
    monkeypatch.setattr(Worker, "end", lambda worker, seconds: (waits.append(seconds), end(worker, seconds)))
    pool = WorkerPool(2, objects.Calculator, 0)
    with pytest.raises(KeyboardInterrupt):
        list(pool.run([1, 2], call(objects.Calculator.hold), interrupt))
    assert [str(answer) for _, answer, _ in pool.close()] == ["its process was ended"] * 2
    first, second = waits
    assert first <= 1.5
    assert second < 0.1


def test_a_worker_whose_task_cannot_be_asked_for_ends_with_the_pool(objects):
    def refuse(task):
        raise OSError("no room for records")

    with WorkerPool(1, objects.Calculator, 100) as pool:
        with pytest.raises(OSError, match="no room"):
            list(pool.run([1], refuse))
        (member,) = pool._idle
    assert not member.worker._process.is_alive()
