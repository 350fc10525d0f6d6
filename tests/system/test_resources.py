"""Usable cores and memory, as cgroups and the system limit them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from scales_cli.system import resources
from scales_cli.system.resources import anonymous_bytes, available_bytes, usable_cores


@pytest.mark.parametrize(
    ("file", "content", "quotas"),
    [
        ("cpu.max", "max 100000", []),
        ("cpu.max", "150000 100000", [1.5]),
        ("cpu.max", "", []),
        ("system.slice/x.service/cpu.max", "50000 100000", [0.5]),
        ("cpu/system.slice/cpu.cfs_quota_us", "200000", [2.0]),
        ("cpu/system.slice/cpu.cfs_quota_us", "-1", []),
        ("elsewhere.slice/cpu.max", "50000 100000", []),
    ],
)
def test_cgroup_quotas_are_read(file: str, content: str, quotas: list[float], tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    (tmp_path / file).with_name("cpu.cfs_period_us").write_text("100000")
    (tmp_path / "membership").write_text("0::/system.slice/x.service\n")
    assert set(resources._cgroup_quotas(tmp_path, tmp_path / "membership")) == set(quotas)


def test_usable_cores_respects_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_cgroup_quotas", lambda root, membership: iter([4.0, 0.5]))
    assert usable_cores() == 1
    monkeypatch.setattr(resources, "_cgroup_quotas", lambda root, membership: iter(()))
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_cgroups_above_limit_memory_too(tmp_path: Path) -> None:
    inner = tmp_path / "user" / "job"
    inner.mkdir(parents=True)
    (tmp_path / "membership").write_text("0::/user/job\n")
    assert list(resources._cgroup_available(tmp_path, tmp_path / "membership")) == []
    for folder, limit, usage in [(inner, "max", "10"), (inner.parent, "1000", "400")]:
        (folder / "memory.max").write_text(limit)
        (folder / "memory.current").write_text(usage)
    assert list(resources._cgroup_available(tmp_path, tmp_path / "membership")) == [600]
    (inner.parent / "memory.stat").write_text("anon 100\ninactive_file 250\n")  # which the system gives up
    assert list(resources._cgroup_available(tmp_path, tmp_path / "membership")) == [850]


def test_cgroups_of_the_first_version_limit_memory(tmp_path: Path) -> None:
    folder = tmp_path / "memory" / "job"
    folder.mkdir(parents=True)
    (tmp_path / "membership").write_text("4:memory:/job\n2:cpu:/other\n")
    (folder / "memory.limit_in_bytes").write_text("5000")
    (folder / "memory.usage_in_bytes").write_text("6000")
    assert list(resources._cgroup_available(tmp_path, tmp_path / "membership")) == [0]


def test_available_bytes_is_the_tightest_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_cgroup_available", lambda root, membership: iter([2**40, 12345]))
    assert available_bytes() == 12345


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no process's own memory")
def test_anonymous_bytes_grows_with_what_is_allocated() -> None:
    chunk = os.urandom(2**20)
    before = anonymous_bytes()
    with mmap.mmap(-1, 2**26, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:  # malloc may have some left over
        for _ in range(64):
            held.write(chunk)
        assert anonymous_bytes() - before == pytest.approx(len(held), rel=0.1)
