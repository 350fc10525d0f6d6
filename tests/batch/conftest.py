"""A Dask cluster on the loopback: a scheduler and workers in processes of their own, which may be killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from forks import Fork, forking
from waiting import wait_for


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[Fork] = []
        self.scheduler: Fork | None = None
        self.renew()

    def renew(self) -> None:
        """With two workers, each under a nanny of Dask's, which starts it again."""
        self.close()
        self.scheduler = self.start_scheduler()
        for _ in range(2):
            self.start_worker()

    def start_scheduler(self) -> Fork:
        self.file.unlink(missing_ok=True)
        scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0")
        wait_for(self._address)  # as the file is there before it is written
        return scheduler

    def start_worker(self, *arguments: str, **environment: str) -> Fork:
        """In a working folder that has none of the pictures."""
        name = f"worker-{len(self.workers)}"
        more = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder / name), *arguments)
        worker = self._start("worker", *more, **environment)
        self.workers.append(worker)
        return worker

    def names(self) -> set[str]:
        """Of the workers that are at work: what they were named, or their addresses."""
        import distributed

        with distributed.Client(self._address(), set_as_default=False) as client:
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
        return {str(worker["name"]) for worker in workers if worker["status"] == "running"}

    def _address(self) -> str:
        with suppress(OSError, ValueError):
            return str(json.loads(self.file.read_text())["address"])
        return ""

    def close(self) -> None:
        """The workers of nannies end with them."""
        processes = [*self.workers, *([self.scheduler] if self.scheduler else [])]
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
        self.workers.clear()

    def _start(self, kind: str, *arguments: str, **environment: str) -> Fork:
        settings = {
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2",
            "SCALES_CACHE": str(self.folder / "cache"),
        }
        arguments = ("--scheduler-file", str(self.file), *arguments)
        module = f"distributed.cli.dask_{kind}"
        return Fork(module, arguments, Path("/"), self.folder / kind, **settings | environment)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    pytest.importorskip("scales_cli.engine._native")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    with forking():
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


def kill(pid: int) -> None:
    if pid > 1:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
