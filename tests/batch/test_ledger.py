"""Records in a storage: what is done is told by listings alone, whatever was killed, and whoever else was at work."""

import dataclasses
import itertools
import subprocess
from types import SimpleNamespace

import pytest

from scales_cli.batch.ledger import Ledger
from scales_cli.batch.record import BEGUN, DONE, FAILED, Origin, Record
from scales_cli.batch.record_name import RecordName
from scales_cli.errors import InputError, OutputError
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.storage.address import Address
from scales_cli.storage.listing import Listing
from scales_cli.system.files import this_process

RECORD = Record("sub/n\n%[x]ü.png", 10, 20, "abc", BEGUN, "sub/n\n%[x]ü_x4.png", run="00e15e00-1", root="/in")
FAILURE = dataclasses.replace(RECORD, status=FAILED, output="", error="damaged", exit_code=3, run="")
OUTCOME = Done("in", "out", 1, 1, 0.1, 4, "tiny")
_NUMBERS = itertools.count()


@pytest.fixture
def bucket():
    """A folder in memory that is asked through fsspec, as any storage is."""
    fsspec = pytest.importorskip("fsspec")
    return SimpleNamespace(
        system=fsspec.filesystem("memory"), address=Address.parse(f"memory://ledger {next(_NUMBERS)} [a]*/out")
    )


def ledger(bucket):
    return Ledger(Listing(bucket.address))


def found(bucket, settings="abc", place=RECORD.input):
    return ledger(bucket).find(Origin(RECORD.root, place), SimpleNamespace(st_size=10, st_mtime_ns=20), settings)


def put(bucket, data=b"picture", output=RECORD.output):
    bucket.system.pipe_file(f"/{(bucket.address / output).path}", data)


def work(bucket, data=b"picture", record=RECORD):
    """One run that does a picture."""
    entry = ledger(bucket).begin(record)
    entry.begin()
    put(bucket, data, record.output)
    return entry.end(OUTCOME)


def records(bucket):
    return sorted(name.rsplit("/", 1)[-1] for name in bucket.system.find(f"/{bucket.address.path}/.scales-batch"))


def test_what_is_done_is_known_as_long_as_its_output_is_there(bucket):
    assert found(bucket) is None
    assert work(bucket) == OUTCOME
    record = found(bucket)
    assert (record.status, record.output, record.output_size) == (DONE, RECORD.output, 7)
    assert found(bucket, settings="another model") is None
    assert found(bucket, place="sub/other.png") is None
    assert ledger(bucket).output_of(RECORD.origin) == RECORD.output
    assert [name.split(".")[2] for name in records(bucket)] == ["done"]
    put(bucket, b"another picture")
    assert found(bucket) is None
    bucket.system.rm_file(f"/{(bucket.address / RECORD.output).path}")
    assert found(bucket) is None
    assert ledger(bucket).owns(RECORD.output, RECORD.origin)  # as in a manifest


def test_an_output_is_ours_as_long_as_nobody_changed_it(bucket):
    def is_ours():
        after = Ledger(listing := Listing(bucket.address))
        return after.owns(RECORD.output, RECORD.origin, listing.status_of(bucket.address / RECORD.output))

    put(bucket)
    assert not is_ours()
    work(bucket)
    assert is_ours()
    put(bucket, b"retouched")
    assert not is_ours()
    entry = ledger(bucket).begin(RECORD)
    entry.begin()
    put(bucket, b"by a run that is killed before it records that")
    assert is_ours()
    assert work(bucket, b"by the next") == OUTCOME
    assert is_ours()
    put(bucket, b"retouched")
    assert not is_ours()


@pytest.mark.parametrize("step", ["before", "begun", "put", "recorded"])
def test_a_run_that_is_killed_anywhere_goes_on(bucket, step):
    """What it may have put is the next one's to replace, and only that."""
    entry = ledger(bucket).begin(RECORD)
    if step != "before":
        entry.begin()
    if step in ("put", "recorded"):
        put(bucket)
    if step == "recorded":
        assert entry.end(OUTCOME) == OUTCOME
        entry.begin()  # as if it had not come to remove that
    assert (found(bucket) is not None) == (step == "recorded")
    assert ledger(bucket).owns(RECORD.output, RECORD.origin) == (step != "before")
    assert not ledger(bucket).owns("sub/other_x4.png", RECORD.origin)
    assert work(bucket, b"by the next") == OUTCOME
    assert found(bucket).output_size == len(b"by the next")
    assert [name.split(".")[2] for name in records(bucket)] == ["done"]  # nothing is left of what went before


def test_what_a_killed_run_did_not_remove_is_removed_by_the_next(bucket):
    """Though there is nothing for it to do."""
    work(bucket, b"first")
    entry = ledger(bucket).begin(dataclasses.replace(RECORD, run="00e15e00-2"))
    put(bucket, b"later")
    dataclasses.replace(entry, superseded=()).end(OUTCOME)
    entry.begin()
    other = dataclasses.replace(RECORD, settings="x2", output="sub/n_x2.png")
    work(bucket, record=other)
    assert len(records(bucket)) == 4
    after = ledger(bucket)
    assert after.find(RECORD.origin, SimpleNamespace(st_size=10, st_mtime_ns=20), "abc").output_size == 5
    assert len(records(bucket)) == 4  # as nothing is written to find
    after.prepare()
    assert [name.split(".")[2] for name in records(bucket) if name != "README.txt"] == ["done"] * 2
    assert found(bucket) is not None
    assert found(bucket, settings="x2") is not None


def test_work_that_fails_leaves_no_claim(bucket):
    entry = ledger(bucket).begin(RECORD)
    entry.begin()
    assert ledger(bucket).owns(RECORD.output, RECORD.origin)
    failure = Failed("in", InputError("damaged"))
    assert entry.end(failure) is failure
    assert not ledger(bucket).owns(RECORD.output, RECORD.origin)
    assert records(bucket) == []


def test_a_failure_is_known_until_the_input_is_another_or_done(bucket):
    ledger(bucket).append(dataclasses.replace(FAILURE, exit_code=1))
    assert found(bucket) is None  # as it may be right the next time
    ledger(bucket).append(FAILURE)
    assert found(bucket) == FAILURE
    assert found(bucket, settings="another model") is None
    ledger(bucket).append(dataclasses.replace(FAILURE, settings="another model"))
    assert found(bucket) is None
    assert found(bucket, settings="another model").error == "damaged"
    work(bucket)
    assert len(records(bucket)) == 1


def test_an_output_of_other_settings_is_done_again(bucket):
    work(bucket, b"first")
    work(bucket, b"other", dataclasses.replace(RECORD, settings="other"))
    assert found(bucket) is None
    assert found(bucket, settings="other").output_size == 5
    work(bucket, b"third")
    assert found(bucket, settings="other") is None
    assert found(bucket) is not None
    other = dataclasses.replace(RECORD, settings="x2", output="sub/n_x2.png")
    work(bucket, b"small", other)
    assert found(bucket) is not None  # both are there
    assert found(bucket, settings="x2").output == other.output


def test_runs_of_other_settings_at_once_do_not_take_each_others_output_for_theirs(bucket):
    """Whichever was put last, and whoever looked at it in which order."""
    first, second = (ledger(bucket).begin(dataclasses.replace(RECORD, settings=name)) for name in ("abc", "other"))
    first.begin()
    second.begin()
    put(bucket, b"first")
    put(bucket, b"later")
    assert first.end(OUTCOME) == second.end(OUTCOME) == OUTCOME
    assert found(bucket) is None
    assert found(bucket, settings="other") is None
    work(bucket)
    assert found(bucket) is not None


def test_what_a_run_at_work_has_begun_on_this_machine_is_not_ours(bucket):
    machine = this_process().rpartition("-")[0]
    with subprocess.Popen(["sleep", "60"]) as rival:
        ledger(bucket).begin(dataclasses.replace(RECORD, run=f"{machine}-{rival.pid}")).begin()
        assert not ledger(bucket).owns(RECORD.output, RECORD.origin)
        rival.kill()
        rival.wait()
        assert ledger(bucket).owns(RECORD.output, RECORD.origin)


def test_foreign_objects_among_the_records_say_nothing(bucket):
    work(bucket)
    for name in ("0/x", "a/b/c", "README.txt", f"{'0' * 24}.done", f"0/{'0' * 24}.{'0' * 24}.done", "0/é.done.."):
        put(bucket, b"", f".scales-batch/{name}")
    (name,) = (name for name in records(bucket) if ".done." in name and len(name) > 80)
    assert str(RecordName.parse(name)) == name
    assert found(bucket) is not None


def test_a_damaged_failure_is_tried_again(bucket):
    ledger(bucket).append(FAILURE)
    (name,) = records(bucket)
    put(bucket, b"{", f".scales-batch/{name[0]}/{name}")
    assert found(bucket) is None


def test_what_cannot_be_listed_or_recorded_is_named(bucket, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError("no")

    monkeypatch.setattr(type(bucket.system), "pipe_file", refuse)
    with pytest.raises(OutputError, match=r"\.scales-batch: cannot be written: the storage denies access"):
        ledger(bucket).prepare()
    monkeypatch.setattr(type(bucket.system), "info", refuse)
    with pytest.raises(OutputError, match=r"cannot be listed: the storage denies access"):
        found(bucket)
