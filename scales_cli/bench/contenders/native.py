"""scales itself: the network, the whole program, one binary layer, and its bicubic interpolation."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.contenders.base import Runner, Sample, Task
from scales_cli.bench.random_weights import random_weights
from scales_cli.engine import native_module as native
from scales_cli.engine.composition import upscale_bicubic
from scales_cli.engine.ensemble import ensemble_of
from scales_cli.engine.load import load_engine
from scales_cli.engine.native_engine import NativeEngine
from scales_cli.system.threads import ThreadPool


class NativeNetwork(Runner):
    """The network from planes to residual, as the twins are timed."""

    def __init__(self, task: Task) -> None:
        self._engine = ensemble_of(load_engine(task.model, threads=task.threads), task.ensemble)
        self._planes = task.planes(task.spec.inputs)
        self.model_bytes = task.model.stat().st_size

    def run(self) -> Any:
        return self._engine.residual(self._planes)


class Upscale(Runner):
    """`scales upscale` as a user runs it, a process each time: RGB PPM to PPM, with colour and file work."""

    def __init__(self, task: Task) -> None:
        folder = Path(tempfile.mkdtemp(dir=task.exports))  # removed with the exports
        source, self._target = folder / "in.ppm", folder / "out.ppm"
        rng = np.random.default_rng(0)
        with source.open("wb") as file:  # row by row: what this process held would count as the program's peak
            file.write(b"P6 %d %d 255\n" % (task.width, task.height))
            file.writelines(rng.bytes(3 * task.width) for _ in range(task.height))
        options = {"-m": task.model, "-s": task.spec.scale, "-t": task.threads, "-o": self._target}
        options["--ensemble"] = task.ensemble
        flat = [str(item) for pair in options.items() for item in pair]
        self._command = [sys.executable, "-m", "scales_cli", "upscale", str(source), *flat, "--overwrite", "-q"]
        # Its default limit, as nobody asks the bench for another.
        self._environment = {name: value for name, value in os.environ.items() if name != "SCALES_MAX_MEMORY"}
        self.model_bytes = task.model.stat().st_size

    def run(self) -> Path:
        subprocess.run(self._command, check=True, stdin=subprocess.DEVNULL, env=self._environment)
        return self._target

    def peak_memory(self) -> int | None:
        """The program's largest resident set, not the one of the process that waits for it."""
        try:
            import resource
        except ImportError:
            return None
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class BinaryLayerRunner(Runner):
    """One fused layer of the body on one thread: the difference of two depths, beside the plain form's peak.

    The peak is xor, popcount and add on registers by the same instruction set; with AVX2, look-ups for two outputs at
    once do more. The picture is cut to 2^17 pixels, fewer of wider layers, which run layer by layer, so that no window
    or halo is counted.
    """

    BLOCKS = (2, 10)
    PIXELS = 2**17  # of a layer of 64 channels

    def __init__(self, task: Task) -> None:
        channels = task.spec.n_feats
        rows = self.PIXELS * 64**2 // channels**2 // task.width
        self._planes = np.ascontiguousarray(task.planes()[:, : max(1, rows)])
        self._share = self._planes.size / (task.width * task.height)
        specs = [NetworkSpec(n_feats=channels, n_blocks=blocks) for blocks in self.BLOCKS]
        self._shallow, self._deep = (NativeEngine(random_weights(spec), 1) for spec in specs)
        self._layers = specs[1].n_convs - specs[0].n_convs

    def run(self) -> None:
        self._deep.residual(self._planes)

    def sample(self) -> Sample:
        peak = native.xor_popcount_rate(0.02)
        seconds = statistics.median(self._difference() for _ in range(3)) / self._layers / self._share
        return Sample(seconds, seconds, peak)

    def _difference(self) -> float:
        """Seconds that the deeper network takes longer."""
        times = [time.perf_counter()]
        for engine in (self._shallow, self._deep):
            engine.residual(self._planes)
            times.append(time.perf_counter())
        return (times[2] - times[1]) - (times[1] - times[0])


class Bicubic(Runner):
    """The enlargement that the residual is added to (a = -1/2, exact), of 8-bit luma."""

    def __init__(self, task: Task) -> None:
        self._scale, self._threads = task.spec.scale, ThreadPool(task.threads)
        self._pixels = (255 * task.planes()[0, :, :, None]).astype(np.uint8)

    def run(self) -> Any:
        return upscale_bicubic(self._pixels, self._scale, threads=self._threads)


class Lanczos(Runner):
    """OpenCV's 8x8 Lanczos interpolation of 8-bit luma."""

    def __init__(self, task: Task) -> None:
        import cv2

        cv2.setNumThreads(task.threads)
        self._pixels = (255 * task.planes()[0]).astype(np.uint8)
        self._scale = task.spec.scale

    def run(self) -> Any:
        return lanczos(self._pixels, self._scale)


def lanczos(image: Any, scale: int) -> Any:
    """[H, W] or [H, W, C] uint8 -> the same of `scale` times the size."""
    import cv2

    height, width = image.shape[:2]
    return cv2.resize(image, (scale * width, scale * height), interpolation=cv2.INTER_LANCZOS4)
