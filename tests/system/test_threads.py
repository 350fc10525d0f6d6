"""The pool of threads."""

from __future__ import annotations

import time
from functools import partial

import pytest

from scales_cli.system.threads import ThreadPool


@pytest.mark.parametrize("count", [1, 3])
def test_thread_pool_raises_the_first_error_and_drops_the_rest(count: int) -> None:
    ran: list[int] = []

    def task(index: int) -> None:
        if index == 2:
            raise ValueError("task 2")
        time.sleep(0.001)
        ran.append(index)

    with pytest.raises(ValueError, match="task 2"):
        ThreadPool(count).run(partial(task, index) for index in range(500))
    assert len(ran) < 499


@pytest.mark.parametrize("count", [1, 3])
def test_thread_pool_maps_in_order(count: int) -> None:
    assert list(ThreadPool(count).map(lambda item: item**2, range(20))) == [item**2 for item in range(20)]
