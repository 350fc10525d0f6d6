"""A Dask cluster on the loopback: a scheduler and workers in processes of their own, which may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import scales_cli


def wait_for(condition: Callable[[], Any], seconds: float = 60.0, pause: float = 0.05) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(pause)
    assert found, "waited in vain"
    return found


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()

    def start_scheduler(self) -> None:
        self.file.unlink(missing_ok=True)
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0")
        wait_for(self.file.exists)

    def start_worker(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """In a working folder that has none of the pictures."""
        name = f"worker-{len(self.workers)}"
        more = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder / name), *arguments)
        worker = self._start("worker", *more, **environment)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        processes = [*self.workers, self.scheduler]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, kind: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", str(self.file)]
        settings = {
            "PYTHONPATH": str(Path(scales_cli.__file__).parents[1]),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2",
            "SCALES_CACHE": str(self.folder / "cache"),
        }
        with (self.folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *arguments], cwd="/", stdout=log, stderr=log, env=os.environ | settings | environment
            )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With two workers, each under a nanny of Dask's, which starts it again."""
    pytest.importorskip("distributed")
    pytest.importorskip("scales_cli.engine._native")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    for _ in range(2):
        cluster.start_worker()
    yield cluster
    cluster.close()


def writers(folder: Path) -> list[int]:
    """The processes that write into a folder, by their temporary files."""
    found = []
    for path in folder.glob(".scales-*.tmp"):
        pid = int(path.name.split("-")[2])
        if Path(f"/proc/{pid}").exists():
            found.append(pid)
    return found


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:
        return 0


def kill(pid: int) -> None:
    if pid > 1:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
