import json
import os
import resource
import stat
import subprocess
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from scales_cli.batch.manifest import Manifest
from scales_cli.batch.record import Origin, Record
from scales_cli.errors import OutputError
from scales_cli.storage.objects import FileStatus
from scales_cli.system.files import this_process

RECORD = Record("sub/n\udcff\n%[x].png", 10, 20, "abc", "done", "sub/a_x4.png", 30, root="/in")
STATUS = SimpleNamespace(st_size=10, st_mtime_ns=20)


def found(manifest, place=RECORD.input):
    return manifest.find(Origin(RECORD.root, place), STATUS, "abc")


def test_manifest_finds_what_was_appended(tmp_path):
    Manifest.of(tmp_path).append(RECORD)
    assert found(Manifest.of(tmp_path)) == RECORD
    assert found(Manifest.of(tmp_path), "other") is None


def test_manifest_takes_the_last_line_on_an_input(tmp_path):
    later = replace(RECORD, status="failed", error="why")
    manifest = Manifest.of(tmp_path)
    manifest.append(RECORD)
    manifest.append(later)
    assert found(manifest) == found(Manifest.of(tmp_path)) == later


@pytest.mark.parametrize("order", [(None, (1, 8)), ((1, 8), None), ((2, 2), (1, 8))])
def test_of_several_manifests_the_latest_line_counts(tmp_path, order):
    """Whatever they are called, and whichever was added to last."""
    earlier, later = (Manifest.of(tmp_path, shard) for shard in order)
    failure = replace(RECORD, status="failed", error="why")
    later.append(replace(RECORD, input="other"))
    earlier.append(failure)
    later.append(RECORD)
    earlier.append(replace(RECORD, input="third"))
    assert found(Manifest.of(tmp_path)) == RECORD


def test_a_line_is_later_than_all_that_is_known_whatever_the_clock_says(tmp_path, monkeypatch):
    Manifest.of(tmp_path).append(replace(RECORD, status="failed", error="why"))
    later = Manifest.of(tmp_path, (1, 8))
    monkeypatch.setattr("time.time_ns", lambda: 5)
    later.append(RECORD)
    assert found(Manifest.of(tmp_path)) == RECORD


def test_manifests_may_be_more_than_files_that_can_be_open(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    for index in range(1, 151):
        Manifest(tmp_path / f".scales-batch-{index}-of-150.jsonl", []).append(replace(RECORD, input=str(index)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    try:
        manifest = Manifest.of(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert all(found(manifest, str(index)) for index in range(1, 151))


def test_manifest_knows_all_of_many_lines(tmp_path):
    manifest = Manifest.of(tmp_path)
    for index in range(200):
        manifest.append(replace(RECORD, input=str(index)))
    again = Manifest.of(tmp_path)
    assert all(found(again, str(index)) for index in range(200))


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_manifest_survives_a_torn_last_line(tmp_path, cut):
    manifest = Manifest.of(tmp_path)
    manifest.append(RECORD)
    manifest.append(replace(RECORD, input="torn"))
    data = manifest.path.read_bytes()
    manifest.path.write_bytes(data[:-cut])
    again = Manifest.of(tmp_path)
    again.append(replace(RECORD, input="next"))
    last = Manifest.of(tmp_path)
    assert found(last) == RECORD
    assert found(last, "next") == replace(RECORD, input="next")
    assert (found(last, "torn") is None) == (cut > 1)  # without its end of line only, it is whole


@pytest.mark.parametrize("line", [b"[]", b'"x"', b"\xff", b'{"input": "a"}', b"[" * 100_000, b'{"input": 1}'])
def test_manifest_leaves_out_foreign_lines(tmp_path, line):
    manifest = Manifest.of(tmp_path)
    manifest.path.write_bytes(line + b"\n")
    manifest.append(RECORD)
    assert found(Manifest.of(tmp_path)) == RECORD


def test_manifest_reads_no_line_that_is_too_long(tmp_path):
    """As one without an end, in a sparse file, which would take all memory."""
    manifest = Manifest.of(tmp_path)
    manifest.append(RECORD)
    with manifest.path.open("ab") as file:
        file.truncate(2**27)
    tracemalloc.start()
    again = Manifest.of(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert found(again) == RECORD
    again.append(replace(RECORD, input="next"))
    assert found(Manifest.of(tmp_path), "next")


def test_manifest_leaves_out_values_of_another_kind(tmp_path):
    manifest = Manifest.of(tmp_path)
    manifest.append(RECORD)
    values = json.loads(manifest.path.read_text())
    manifest.path.write_text(json.dumps(values | {"size": "10"}) + "\n")
    assert found(Manifest.of(tmp_path)) is None


def test_manifests_of_shards_know_each_other(tmp_path):
    first, second = (Manifest.of(tmp_path, shard=(index, 2)) for index in (1, 2))
    first.append(RECORD)
    assert first.path != second.path
    assert found(Manifest.of(tmp_path, shard=(2, 2))) == RECORD
    assert found(Manifest.at(tmp_path / "elsewhere")) is None


def test_manifest_names_a_path_it_cannot_write(tmp_path):
    with pytest.raises(OutputError, match=r"missing/m\.jsonl"):
        Manifest.at(tmp_path / "missing" / "m.jsonl").append(RECORD)


FOREIGN = [
    *(b"\x89PNG\r\n\x1a\n", b"\0\0\1\0", b"notes\n", b"{}", b'{\n  "name": "package"\n}\n', b'{"name": "x"}\n'),
    *(b'{"input": "a", "output": "b"}\n', b'{"input": "a"}', b"{\n}", b"{\n\t{"),
]


@pytest.mark.parametrize("data", FOREIGN)
def test_manifest_is_never_appended_to_another_file(tmp_path, data):
    path = tmp_path / "given"
    path.write_bytes(data)
    with pytest.raises(OutputError, match="is no manifest"):
        Manifest.at(path)
    assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"", b"{", b'{"input": "to', b'{"input": "to\n{"inp', RECORD.line[:-1]])
def test_manifest_goes_on_after_what_is_torn(tmp_path, data):
    path = tmp_path / "given"
    path.write_bytes(data)
    Manifest.at(path).append(RECORD)
    assert found(Manifest.at(path)) == RECORD


def test_record_is_of_an_unchanged_input():
    status = SimpleNamespace(st_size=10, st_mtime_ns=20)
    assert RECORD.is_of(status, "abc")
    assert not RECORD.is_of(status, "abd")
    assert not RECORD.is_of(SimpleNamespace(st_size=10, st_mtime_ns=21), "abc")


def test_manifest_is_a_regular_file_or_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OutputError, match="not a regular file"):
            Manifest.at(path)
    Manifest.at(Path("/dev/null")).append(RECORD)


BEGUN = replace(RECORD, status="begun", output_size=0)
LEFT = replace(RECORD, status="left", output="", output_size=0)
FAILED = replace(LEFT, status="failed", error="why")


@pytest.mark.parametrize(
    ("records", "owned"),
    [
        ([], False),
        ([BEGUN], True),
        ([BEGUN, RECORD], True),
        ([BEGUN, FAILED], False),
        ([BEGUN, replace(FAILED, output=RECORD.output)], True),
        ([BEGUN, LEFT], False),
        ([RECORD, BEGUN, LEFT], True),
        ([RECORD, FAILED], True),
        ([BEGUN, BEGUN, RECORD, LEFT], True),  # by two runs
        ([replace(RECORD, input="other")], True),
    ],
)
def test_manifest_knows_which_outputs_are_ours(tmp_path, records, owned):
    manifest = Manifest.of(tmp_path)
    for record in records:
        manifest.append(record)
    assert (
        manifest.owns(RECORD.output, RECORD.origin) == Manifest.of(tmp_path).owns(RECORD.output, RECORD.origin) == owned
    )


WRITTEN = replace(RECORD, output_mtime_ns=50 * 10**9)


@pytest.mark.parametrize(
    ("records", "owned"),
    [
        ([WRITTEN], False),
        ([WRITTEN, BEGUN], True),
        ([BEGUN, WRITTEN], False),
        ([WRITTEN, BEGUN, LEFT], False),
        ([WRITTEN, BEGUN, WRITTEN], False),
        ([WRITTEN, replace(BEGUN, settings="x"), WRITTEN], False),
    ],
)
def test_an_output_that_was_changed_is_ours_only_if_it_may_be_of_a_run_that_ended(tmp_path, records, owned):
    manifest = Manifest.of(tmp_path)
    for record in records:
        manifest.append(record)
    for known in (manifest, Manifest.of(tmp_path)):
        assert known.owns(RECORD.output, RECORD.origin, FileStatus(stat.S_IFREG, 30, 50 * 10**9))
        assert known.owns(RECORD.output, RECORD.origin, FileStatus(stat.S_IFREG, 31, 50 * 10**9)) == owned
        assert known.owns(RECORD.output, RECORD.origin, FileStatus(stat.S_IFREG, 30, 60 * 10**9)) == owned


@pytest.mark.parametrize(
    ("record", "kind", "size", "seconds", "expected"),
    [
        (WRITTEN, stat.S_IFREG, 30, 50, True),
        (WRITTEN, stat.S_IFREG, 30, 48, True),  # as of an archive that keeps every other second
        (WRITTEN, stat.S_IFREG, 30, 53, False),
        (WRITTEN, stat.S_IFREG, 30, 50.000001, True),  # as of a file system that keeps microseconds
        (WRITTEN, stat.S_IFREG, 30, 50.123456789, False),  # by somebody, at once
        (WRITTEN, stat.S_IFREG, 29, 50, False),
        (WRITTEN, stat.S_IFDIR, 30, 50, False),
        (RECORD, stat.S_IFREG, 30, 53, True),  # by an earlier version
        (replace(RECORD, output_size=0), stat.S_IFREG, 30, 53, True),  # of a file that was gone again
    ],
)
def test_record_tells_what_was_written_from_what_was_changed_since(record, kind, size, seconds, expected):
    assert record.is_as_written(FileStatus(kind, size, round(seconds * 10**9))) == expected


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_what_another_run_has_begun_is_ours_once_that_has_ended(tmp_path):
    machine = this_process().rpartition("-")[0]
    with subprocess.Popen(["sleep", "60"]) as rival:
        Manifest.of(tmp_path).append(replace(BEGUN, run=f"{machine}-{rival.pid}"))
        manifest = Manifest.of(tmp_path)
        assert not manifest.owns(RECORD.output, RECORD.origin)
        rival.kill()
        os.waitid(os.P_PID, rival.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert manifest.owns(RECORD.output, RECORD.origin)
    assert manifest.owns(RECORD.output, RECORD.origin)


@pytest.mark.parametrize("run", ["{us}", "", "00000000-1", "nonsense", "-", "{us}9999999999"])
def test_what_is_begun_by_this_run_or_none_that_is_known_is_ours(tmp_path, run):
    Manifest.of(tmp_path).append(replace(BEGUN, run=run.format(us=this_process())))
    assert Manifest.of(tmp_path).owns(RECORD.output, RECORD.origin)


@pytest.mark.parametrize(
    ("later", "done"),
    [
        (BEGUN, True),
        (LEFT, True),
        (FAILED, False),
        (replace(BEGUN, settings="x"), False),
        (replace(BEGUN, size=1), False),
    ],
)
def test_manifest_forgets_what_was_done_only_for_other_work(tmp_path, later, done):
    """What is begun again may have been written by another run; files of other settings may have the same size."""
    for record in (RECORD, later):
        Manifest.of(tmp_path).append(record)
    assert (found(Manifest.of(tmp_path)) == RECORD) == done
