"""Batches from Python, with real workers; the command line's tests have the rest."""

import dataclasses
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.batch import BatchRequest, Planned, Skipped, batch, crew, preview, run
from scales_cli.batch.history import History
from scales_cli.batch.naming import NUMBER
from scales_cli.errors import InputError, MemoryLimitError
from scales_cli.imaging.output_options import OutputOptions
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.pipeline.sizing import Sizing
from scales_cli.system.process_pool import WorkerPool
from scales_cli.system.resources import anonymous_bytes
from scales_cli.weights.family import resolve


@pytest.fixture
def request_for(weights_file, tmp_path):
    """A request for the pictures in in/ that are to be twice as large in out/."""
    family = resolve(weights_file(2))
    (tmp_path / "in").mkdir()

    def make(*, output="out", written=None, **options):
        enlargement = Enlargement(family, Sizing(2), written or OutputOptions())
        return BatchRequest(
            inputs=[str(tmp_path / "in")], output=tmp_path / output, enlargement=enlargement, threads=1, **options
        )

    return make


def save(path, rng, size=(30, 40)):
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


def by_name(outcomes):
    return {Path(outcome.input).name: outcome for outcome in outcomes}


def test_a_run_tells_what_became_of_each_input(request_for, rng, tmp_path):
    save(tmp_path / "in/a.png", rng)
    save(tmp_path / "in/b.jpg", rng)
    (tmp_path / "in/c.png").write_text("text")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b_x2.jpg").touch()
    seen = []
    request = request_for(jobs=1)
    planned = by_name(preview(request))
    outcomes = by_name(run(request, seen.append))
    target = str(tmp_path / "out/a_x2.png")
    assert isinstance(outcomes["a.png"], Done)
    assert outcomes["a.png"].output == target
    assert outcomes["b.jpg"] == Skipped(str(tmp_path / "in/b.jpg"), str(tmp_path / "out/b_x2.jpg"), "exists")
    assert isinstance(outcomes["c.png"], Failed)
    assert isinstance(outcomes["c.png"].error, InputError)
    assert planned["a.png"] == Planned(str(tmp_path / "in/a.png"), target)
    assert {name: type(outcome) for name, outcome in planned.items() if name != "a.png"} == {
        "b.jpg": Skipped,
        "c.png": Failed,
    }
    assert {status.total for status in seen} == {3}
    looked = [status.seen for status in seen if status.planning]
    assert looked == sorted(looked)
    assert looked[0] == 0
    assert any(status.running for status in seen if not status.planning)
    assert by_name(run(request))["a.png"] == Skipped(str(tmp_path / "in/a.png"), target, "done before")


@pytest.fixture
def two_folders(request_for, rng, tmp_path):
    """Two folders with a picture each, of one name, size and time, and a request for what is in some of them."""
    (tmp_path / "other").mkdir()
    for name in ("in", "other"):
        save(tmp_path / f"{name}/a.bmp", rng)
        os.utime(tmp_path / f"{name}/a.bmp", (10**9, 10**9))
    return lambda *names, **options: dataclasses.replace(
        request_for(jobs=1, **options), inputs=[str(tmp_path / name) for name in names]
    )


def test_a_signal_between_an_answer_and_its_record_forgets_nothing(request_for, rng, tmp_path, monkeypatch):
    save(tmp_path / "in/a.png", rng)
    record = History.record

    def interrupted(*arguments):
        monkeypatch.setattr(History, "record", record)
        raise KeyboardInterrupt

    monkeypatch.setattr(History, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run(request_for(jobs=1)))
    (outcome,) = run(request_for(jobs=1))
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "done before"


def test_another_folders_picture_of_the_same_name_is_not_taken_for_the_one_that_is_done(two_folders, rng, tmp_path):
    assert [type(outcome) for outcome in run(two_folders("in"))] == [Done]
    made = (tmp_path / "out/a_x2.bmp").read_bytes()
    for _ in range(2):
        assert [outcome.reason for outcome in run(two_folders("other"))] == ["exists"]
    save(tmp_path / "other/a.bmp", rng)
    assert [outcome.reason for outcome in run(two_folders("other"))] == ["exists"]
    assert (tmp_path / "out/a_x2.bmp").read_bytes() == made


def test_a_folder_that_was_moved_or_has_another_name_too_is_the_same(two_folders, rng, tmp_path):
    assert [type(outcome) for outcome in run(two_folders("in"))] == [Done]
    (tmp_path / "link").symlink_to("in")
    assert [outcome.reason for outcome in run(two_folders("link"))] == ["done before"]
    (tmp_path / "in").rename(tmp_path / "archive")
    assert [outcome.reason for outcome in run(two_folders("archive"))] == ["done before"]
    save(tmp_path / "archive/a.bmp", rng)
    assert [type(outcome) for outcome in run(two_folders("archive"))] == [Done]


def test_numbered_outputs_of_several_folders_stay_whose_they_are(two_folders, tmp_path):
    assert [type(outcome) for outcome in run(two_folders("in", "other", on_clash=NUMBER))] == [Done, Done]
    made = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.bmp")}
    assert sorted(made) == ["a_x2-2.bmp", "a_x2.bmp"]
    for names in (("in", "other"), ("other",), ("other", "in")):
        assert {outcome.reason for outcome in run(two_folders(*names, on_clash=NUMBER))} == {"done before"}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.bmp")} == made


@pytest.mark.parametrize("whole", [0, 60], ids=["no header", "half a picture"])
def test_what_a_killed_run_left_is_replaced_after_a_failure_too(whole, request_for, rng, tmp_path):
    """It may have been published, and is recorded as begun only. The picture is broken once, then good again."""
    source = tmp_path / "in/a.png"
    save(source, rng)
    data = source.read_bytes()
    assert [type(outcome) for outcome in run(request_for(jobs=1))] == [Done]
    target, manifest = tmp_path / "out/a_x2.png", tmp_path / "out/.scales-batch.jsonl"
    good = target.read_bytes()
    begun, _ = manifest.read_text().splitlines()
    assert json.loads(begun)["status"] == "begun"
    manifest.write_text(json.dumps(json.loads(begun) | {"run": "00000000-1"}) + "\n")
    target.write_bytes(b"of the source as it was")
    source.write_bytes(data[:whole])
    assert [type(outcome) for outcome in run(request_for(jobs=1))] == [Failed]
    source.write_bytes(data)
    assert [type(outcome) for outcome in run(request_for(jobs=1))] == [Done]
    assert target.read_bytes() == good


CHANGES = {
    "larger": lambda path: Image.new("RGB", (41, 30)).save(path),
    "smaller": lambda path: Image.new("RGB", (39, 30)).save(path),
    "alpha": lambda path: Image.new("RGBA", (40, 30)).save(path),
    "grey": lambda path: Image.new("L", (40, 30)).save(path),
    "format": lambda path: Image.new("RGB", (40, 30)).save(path, "BMP"),
    "frames": lambda path: Image.new("RGB", (40, 30)).save(
        path, save_all=True, append_images=[Image.new("RGB", (40, 30), "red")]
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_that_changes_after_it_was_looked_at_is_noticed(change, request_for, tmp_path):
    """Though its header is read once."""
    path = tmp_path / "in/a.png"
    Image.new("RGB", (40, 30)).save(path)
    with batch._Batch(request_for(jobs=1, written=OutputOptions(all_frames=True)), lambda status: None) as work:
        work.plan(all_of_them=True)
        CHANGES[change](path)
        (outcome,) = work.run()
    assert isinstance(outcome, Failed)
    assert "changed since it was looked at" in outcome.error.message


def test_a_picture_too_large_for_its_share_is_done_alone(request_for, rng, tmp_path, monkeypatch):
    for name in ("a.webp", "b.webp"):  # which is held whole
        save(tmp_path / "in" / name, rng, (300, 400))
    sizes, renew = [], WorkerPool.renew
    monkeypatch.setattr(WorkerPool, "renew", lambda pool, size: (sizes.append(size), renew(pool, size)))
    monkeypatch.setattr(crew, "_WORKER_BYTES", 1)
    failed = by_name(run(request_for(jobs=2, max_memory=anonymous_bytes() + 2**20)))["a.webp"].error
    assert isinstance(failed, MemoryLimitError)
    need = int(re.search(r"need (\d+) MiB", failed.message)[1]) * 2**20 - anonymous_bytes()  # of the worker
    sizes.clear()
    outcomes = list(run(request_for(jobs=2, max_memory=anonymous_bytes() + int(1.6 * need))))
    assert sizes == [1]
    assert {type(outcome) for outcome in outcomes} == {Done}


def test_what_lies_where_a_picture_was_too_large_twice_is_somebody_elses(request_for, rng, tmp_path):
    save(tmp_path / "in/a.webp", rng, (300, 400))
    tight = {"jobs": 1, "max_memory": anonymous_bytes() + 2**20}
    assert isinstance(by_name(run(request_for(**tight)))["a.webp"], Failed)
    target = tmp_path / "out/a_x2.webp"
    target.write_text("mine")
    for options in (tight, {"jobs": 1}):
        assert by_name(run(request_for(**options)))["a.webp"] == Skipped(
            str(tmp_path / "in/a.webp"), str(target), "exists"
        )
    assert target.read_text() == "mine"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at /proc")
def test_memory_stays_flat(request_for, rng, tmp_path, monkeypatch):
    for index in range(1000):
        save(tmp_path / f"in/{index:04}.png", rng)
    monkeypatch.setattr("scales_cli.system.process_pool._TASKS_OF_A_WORKER", 10**6)  # without that remedy
    memory = []
    with batch._Batch(request_for(jobs=1, max_memory=2**30), lambda status: None) as work:
        work.plan()
        for _ in work.run():
            (member,) = work._crew._pool._idle
            status = Path(f"/proc/{member.worker.pid}/status").read_text()
            memory.append(int(re.search(r"RssAnon:\s+(\d+)", status)[1]))
    assert len(memory) == 1000
    assert max(memory[900:]) <= 1.05 * max(memory[50:100])


def test_a_batch_begins_while_it_looks_at_the_rest(request_for, rng, tmp_path):
    """The last picture is none yet when the first is done."""
    for index in range(16):
        save(tmp_path / f"in/{index:02}.png", rng)
    last = tmp_path / "in/15.png"
    last.write_text("text")
    outcomes = []
    for outcome in run(request_for(jobs=1)):
        if not outcomes:
            save(last, rng)
        outcomes.append(outcome)
    assert {type(outcome) for outcome in outcomes} == {Done}


def test_an_input_that_vanishes_is_named(request_for, rng, tmp_path):
    for name in "abc":
        save(tmp_path / f"in/{name}.png", rng)
    last, outcomes = tmp_path / "in/c.png", {}
    for outcome in run(request_for(jobs=1)):
        last.unlink(missing_ok=True)
        outcomes[Path(outcome.input).name] = outcome
    assert {name: type(outcome) for name, outcome in outcomes.items()} == {
        "a.png": Done,
        "b.png": Done,
        "c.png": Failed,
    }
    assert "cannot be read: No such file" in outcomes["c.png"].error.message


@pytest.mark.slow
def test_looking_at_twenty_thousand_pictures_takes_seconds(request_for, rng, tmp_path):
    """Of a core: half a millisecond for each on a slow one, and twice that is allowed."""
    save(tmp_path / "in/00000.jpg", rng)
    data = (tmp_path / "in/00000.jpg").read_bytes()
    for index in range(1, 20_000):
        (tmp_path / f"in/{index:05}.jpg").write_bytes(data)
    before = sum(os.times()[:4])
    assert sum(isinstance(planned, Planned) for planned in preview(request_for(jobs=2))) == 20_000
    assert sum(os.times()[:4]) - before < 20
