"""Records of a batch in a file: JSON lines in the output folder, only ever appended to.

A line is one `Record`, written at once, so that several runs may share a manifest and a run may be killed at any
moment; a line that is torn nevertheless is left out when reading. The last line on an input counts, by the times of
lines if they are in several files, and outputs once written stay known.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

from scales_cli.batch.record import BEGUN, DONE, FAILED, MOST_BYTES, Origin, Record
from scales_cli.errors import OutputError
from scales_cli.storage.objects import FileStatus
from scales_cli.system.files import is_at_work, open_regular, this_process

_NAME = ".scales-batch"
_BEGINNING = b'{"input": '  # of every line
_LINES = 64  # that are read of a file at a time


class Manifest:
    """The records of `files`; new ones go to `path`."""

    def __init__(self, path: Path, files: Iterable[Path]) -> None:
        self.path = path
        self._records: dict[str, dict[str, Record]] = defaultdict(dict)  # by roots and places
        self._written: dict[str, Record] = {}  # the last ones, by their outputs
        self._begun: dict[str, Record] = {}  # by outputs that may be ours
        self._in_work: dict[Origin, str] = {}  # what is begun for inputs
        self._latest_ns = 0
        for record in heapq.merge(*map(_records_of, files), key=attrgetter("time_ns")):
            self._add(record)

    @classmethod
    def at(cls, path: Path) -> Manifest:
        manifest = cls(path, [path])
        if _is_foreign(path):
            raise OutputError(f"{path}: is no manifest of a batch", "choose another --manifest")
        return manifest

    @classmethod
    def of(cls, output: Path, shard: tuple[int, int] | None = None) -> Manifest:
        """The manifest of an output folder, which knows what all shards have recorded there."""
        name = "{}-{}-of-{}".format(_NAME, *shard) if shard else _NAME
        return cls(output / f"{name}.jsonl", sorted(output.glob(f"{_NAME}*.jsonl")))

    def find(self, origin: Origin, status: FileStatus, settings: str) -> Record | None:
        """What became of an input as it is now, by these settings."""
        record = self._record_of(origin)
        return record if record is not None and record.is_of(status, settings) else None

    def output_of(self, origin: Origin) -> str:
        """What was last written for an input, or meant to be."""
        record = self._record_of(origin)
        return "" if record is None else record.output

    def owns(self, output: str, origin: Origin, there: FileStatus | None = None) -> bool:
        """Whether what is `there` at `output`, if anything, is what a run wrote for this input, or may be."""
        if self.wrote(output, there) and origin.is_of(self._written[output]):
            return True
        return self.claims(output, origin)

    def wrote(self, output: str, there: FileStatus | None) -> bool:
        """Whether what is `there`, if anything, is what was last recorded of `output`."""
        record = self._written.get(output)
        return record is not None and (there is None or record.is_as_written(there))

    def claims(self, output: str, origin: Origin) -> bool:
        """Whether a file at `output` may be what this run or one that has ended wrote for an input, unrecorded."""
        begun = self._begun.get(output)
        if begun is None or not (begun.run == this_process() or not is_at_work(begun.run)):
            return False
        return origin.is_of(begun)

    def _record_of(self, origin: Origin) -> Record | None:
        if (record := self._records[origin.root].get(origin.place)) is not None:
            return record
        others = (records.get(origin.place) for records in self._records.values())
        return next((record for record in others if record is not None and origin.is_of(record)), None)

    def prepare(self) -> None:
        """Makes the file, so that one that cannot be written is an `OutputError` before any work."""
        with self._writing(), self.path.open("ab"):
            pass

    def begin(self, record: Record) -> None:
        """Records that work begins. Raises `OutputError` if that is impossible."""
        self.append(record)

    def append(self, record: Record) -> None:
        """Adds a line; raises `OutputError` if that is impossible."""
        now = max(time.time_ns(), self._latest_ns + 1)  # after all that is known, whatever clocks say
        record = dataclasses.replace(record, time_ns=now)
        line = record.line
        with self._writing(), self.path.open("a+b", buffering=0) as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
        self._add(record)

    def _add(self, record: Record) -> None:
        self._latest_ns = max(self._latest_ns, record.time_ns)
        self._begun.pop(self._in_work.pop(record.origin, ""), None)
        if record.output and record.status == DONE:
            self._begun.pop(record.output, None)
            self._written[record.output] = record
        elif record.output:
            self._begun[record.output] = record
        if record.status == BEGUN:
            self._in_work[record.origin] = record.output
        known = self._records[record.root]
        previous = known.get(record.input)
        if (
            previous is None
            or previous.status != DONE
            or record.status in (DONE, FAILED)
            or not record.agrees(previous)
        ):
            known[record.input] = record  # else another run has done the same meanwhile

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written: {error.strerror}", "choose another --manifest"
            ) from error


def _records_of(file: Path) -> Iterator[Record]:
    """It is opened for some lines at a time, as there may be more shards than files that can be open."""
    try:
        mode = file.stat().st_mode
        if stat.S_ISCHR(mode):  # as /dev/null, which keeps nothing; others never end
            return
        if not stat.S_ISREG(mode):
            raise OutputError(f"{file}: is not a regular file", "choose another --manifest")
        start, end = -1, 0
        while start < end:
            with open_regular(file) as stream:
                start = stream.seek(end)
                found = [Record.parse(stream.readline(MOST_BYTES)) for _ in range(_LINES)]
                end = stream.tell()
            yield from (record for record in found if record is not None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{file}: cannot be read: {error.strerror}", "choose another --manifest") from error


def _is_foreign(path: Path) -> bool:
    """Whether a file is another one than ours, which lines appended to it would damage."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        line = file.readline(MOST_BYTES).rstrip(b"\n")
        if _BEGINNING.startswith(line):  # so little of it was written that the next tells more
            line = file.readline(MOST_BYTES).rstrip(b"\n")
    if not (line.startswith(_BEGINNING) or _BEGINNING.startswith(line)):
        return True
    try:
        json.loads(line)
    except (ValueError, RecursionError):  # it is torn, or the file is empty
        return False
    return Record.parse(line) is None
