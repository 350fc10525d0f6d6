"""Memory is planned for the network that a picture gets, before and after it is known which."""

import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plans import plan_for

from scales_cli.errors import MemoryLimitError
from scales_cli.pipeline import memory
from scales_cli.pipeline.memory import fit_job, tile_job
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.pipeline.upscalers import AutoUpscaler
from scales_cli.system.resources import anonymous_bytes

MIB = 2**20


@pytest.fixture
def network(fake_engine):
    """An upscaler whose network needs so many MiB."""

    def make(need):
        engine = fake_engine(2)
        engine.plan = lambda *size, **options: (None, need * MIB)
        return Upscaler(engine, threads=1)

    return make


@pytest.fixture
def job(tmp_path):
    Image.new("RGB", (12, 9)).save(tmp_path / "a.png")
    (job,) = plan_for([str(tmp_path / "a.png")], None, 2).jobs
    return job


def test_the_second_network_is_not_opened_for_its_memory_if_the_first_fits(network, job):
    auto = AutoUpscaler(network(50), lambda: pytest.fail("it was opened"), 0.5)
    assert fit_job(job, auto, anonymous_bytes() + 200 * MIB).allowance is not None


def test_a_picture_is_refused_if_the_network_that_it_gets_does_not_fit(network, job):
    large, small = network(900), network(50)
    fitted = fit_job(job, AutoUpscaler(large, lambda: small, 0.5), anonymous_bytes() + 200 * MIB)
    assert tile_job(fitted, small).target == job.target
    with pytest.raises(MemoryLimitError, match="12 x 9 pixels need"):
        tile_job(fitted, large)


def test_a_picture_is_refused_at_once_if_no_network_fits_that_it_may_get(network, job):
    auto = AutoUpscaler(network(900), lambda: network(800), 0.5)
    with pytest.raises(MemoryLimitError, match="are allowed"):
        fit_job(job, auto, anonymous_bytes() + 200 * MIB)
    asked = dataclasses.replace(job, denoise=0.0)
    with pytest.raises(MemoryLimitError):
        fit_job(asked, AutoUpscaler(network(900), lambda: network(50), 0.5), anonymous_bytes() + 200 * MIB)


def test_looking_at_a_picture_counts(network, job, monkeypatch):
    monkeypatch.setattr(memory, "wear_bytes", lambda layout: 500 * MIB)
    auto = AutoUpscaler(network(0), lambda: network(0), 0.5)
    limit = anonymous_bytes() + 200 * MIB
    with pytest.raises(MemoryLimitError):
        fit_job(job, auto, limit)
    assert fit_job(dataclasses.replace(job, denoise=0.0), auto, limit).allowance is not None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_least_limit_is_held_with_many_threads(tmp_path, rng):
    """Whose allocator would keep for each of them what it has freed."""
    pytest.importorskip("scales_cli.engine._native")
    Image.fromarray(rng.integers(0, 256, (200, 1600, 3), np.uint8)).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "scales_cli", "upscale", tmp_path / "a.png", "-o", tmp_path / "b.png", "-q"]
    command += ["-m", "photo", "-s", "2", "-t", "16", "--ensemble", "2", "--max-memory"]
    refused = subprocess.run([*command, "1M"], capture_output=True, text=True, check=False)
    least = int(re.search(r"need (\d+) MiB", refused.stderr)[1])
    peak = 0
    with subprocess.Popen([*command, f"{least}M"]) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            if found := re.search(r"RssAnon:\s+(\d+) kB", status):  # unless it has ended
                peak = max(peak, int(found[1]) // 1024)
            time.sleep(0.005)
    assert process.returncode == 0
    assert 30 < peak <= least
