"""What a contender is given and what it gives back."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec


@dataclass(frozen=True)
class Task:
    """One picture to enlarge with one model. `model` is its packed file; `exports` is the folder of `prepare`."""

    spec: NetworkSpec
    model: Path
    exports: Path
    width: int
    height: int
    threads: int
    ensemble: int = 1  # of scales

    def planes(self, count: int = 1) -> NDArray[np.float32]:
        """Luma, or more planes, to run on, [count, H, W] in [0, 1]: noise, for no contender's time depends on it."""
        return np.random.default_rng(0).random((count, self.height, self.width), dtype=np.float32)


@dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, and seconds that all threads together computed.

    `peak_rate` is the machine's rate of binary multiply-accumulates a second, which only the binary layer measures.
    """

    seconds: float
    cpu_seconds: float
    peak_rate: float = 0.0


class Runner:
    """A contender that is set up. `model_bytes` is the size of what it loads, None if there is no model."""

    model_bytes: int | None = None

    def run(self) -> Any:
        """Enlarges the task's picture once; the result is what tests compare."""
        raise NotImplementedError

    def sample(self) -> Sample:
        began, busy = time.perf_counter(), _cpu_seconds()
        self.run()
        return Sample(time.perf_counter() - began, _cpu_seconds() - busy)

    def peak_memory(self) -> int | None:
        """Bytes of the largest resident set of this process, interpreter and libraries included."""
        return peak_resident_set()


class NetworkRunner(Runner):
    """A network that runs on `planes` [1, C, H, W], which may be others from run to run."""

    planes: Any


def peak_resident_set() -> int | None:
    try:  # not getrusage: on Linux, that counts what the parent held when it forked
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _cpu_seconds() -> float:
    """Processor time of this process, to the microsecond, and of its children that ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system
