"""Usable cores and the job pool."""

from __future__ import annotations

import math
import os
import time
from functools import partial
from pathlib import Path

import pytest

from scales_cli.engine import threads
from scales_cli.engine.threads import JobPool, usable_cores


@pytest.mark.parametrize(("content", "quota"), [("max 100000", math.inf), ("150000 100000", 1.5), ("", math.inf)])
def test_cgroup_quota_is_read(content: str, quota: float, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert threads._cgroup_quota(tmp_path) == quota


def test_usable_cores_respects_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_cgroup_quota", lambda root: 0.5)
    assert usable_cores() == 1
    monkeypatch.setattr(threads, "_cgroup_quota", lambda root: math.inf)
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("count", [1, 3])
def test_job_pool_raises_the_first_error_and_drops_the_rest(count: int) -> None:
    ran: list[int] = []

    def job(index: int) -> None:
        if index == 2:
            raise ValueError("job 2")
        time.sleep(0.001)
        ran.append(index)

    with pytest.raises(ValueError, match="job 2"):
        JobPool(count).run(partial(job, index) for index in range(500))
    assert len(ran) < 499
