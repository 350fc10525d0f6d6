"""Batches from Python, with real workers; the command line's tests have the rest."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.engine.resources import anonymous_bytes
from scales_cli.errors import MemoryLimitError
from scales_cli.pipeline.batch import plan_batch, run_batch
from scales_cli.pipeline.batch_worker import BatchOptions, BatchWorker
from scales_cli.pipeline.manifest import Manifest
from scales_cli.pipeline.selection import Filter, select
from scales_cli.pipeline.sizing import Sizing
from scales_cli.pipeline.worker_pool import WorkerPool
from scales_cli.weights.family import resolve


@pytest.fixture
def options(weights_file):
    return BatchOptions(Sizing(2), resolve(weights_file(2)))


def run(pool, options, folder, limit, out="out"):
    """Outcomes by name of a batch of `folder`."""
    output = folder.parent / out
    items = select([str(folder)], Filter(), output).items
    plan = plan_batch(pool, items, output, Manifest.of(output), options.fingerprint())
    return {outcome.item.place.name: outcome for outcome in run_batch(pool, plan, limit)}


def test_a_picture_too_large_for_its_share_is_done_alone(options, rng, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.webp", "b.webp"):  # which is held whole
        Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(tmp_path / "in" / name)
    with WorkerPool(2, BatchWorker, options, 1) as pool:
        failed = run(pool, options, tmp_path / "in", anonymous_bytes() + 2**20)["a.webp"].error
        assert isinstance(failed, MemoryLimitError)
        need = int(re.search(r"need (\d+) MiB", failed.message)[1]) * 2**20
    with WorkerPool(2, BatchWorker, options, 1) as pool:
        outcomes = run(pool, options, tmp_path / "in", anonymous_bytes() + int(1.6 * need))
        assert pool.size == 1
    assert {outcome.status for outcome in outcomes.values()} == {"done"}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at /proc")
def test_memory_stays_flat(options, rng, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for index in range(1000):
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(tmp_path / f"in/{index:04}.png")
    monkeypatch.setattr("scales_cli.pipeline.worker_pool._TASKS_OF_A_WORKER", 10**6)  # without that remedy
    output = tmp_path / "out"
    items = select([str(tmp_path / "in")], Filter(), output).items
    memory = []
    with WorkerPool(1, BatchWorker, options, 1) as pool:
        plan = plan_batch(pool, items, output, Manifest.of(output), options.fingerprint())
        for _ in run_batch(pool, plan, 2**30):
            (member,) = pool._idle
            status = Path(f"/proc/{member.worker.pid}/status").read_text()
            memory.append(int(re.search(r"RssAnon:\s+(\d+)", status)[1]))
    assert len(memory) == 1000
    assert max(memory[900:]) <= 1.05 * max(memory[50:100])
