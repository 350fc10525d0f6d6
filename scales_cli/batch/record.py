"""What became of one picture of a batch.

The `status` of a record is one of

begun   the process `run` is about to begin the work: once that has ended, a file at `output` may be what it wrote
done    `output`, of `output_size` bytes and `output_mtime_ns`, was written; of 0 bytes if it was gone again
failed  nothing was written, for the reason `error`; a file at `output` may be what a process wrote that died
left    nothing was written, because there was a file already, or because the run was interrupted
"""

from __future__ import annotations

import dataclasses
import json
import math
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from scales_cli.storage.locations import is_there, locate
from scales_cli.storage.objects import FileStatus

BEGUN, DONE, FAILED, LEFT = "begun", "done", "failed", "left"
_SECOND_NS = 10**9
MOST_BYTES = 2**16  # of a record: two paths of 4 KiB, each byte of which may take six in JSON, and an error


class Origin(NamedTuple):
    """Where an input is: the folder or address that it was found below, and its place there."""

    root: str
    place: str

    def is_of(self, record: Record) -> bool:
        """Whether a record is of this input, and not of another one, which has the same place below another root.

        It may have been recorded under another name: by a machine that has the same tree elsewhere, or before the tree
        was moved. Then there is nothing under that name.
        """
        if record.root in ("", self.root) and record.input == self.place:
            return True
        other = locate(f"{record.root}/{record.input}")
        try:
            if isinstance(other, Path) and other.exists():
                return other.samefile(f"{self.root}/{self.place}")
            return not is_there(other)
        except OSError:  # what cannot be asked for may be there
            return False


@dataclass(frozen=True, slots=True)
class Record:
    """An input at its place in the tree below `root`, as it was then, and what became of it.

    `settings` identifies the model and all options that change the result; `output` is relative to the output folder.
    `time_ns` is when it was recorded in a file; what is 0 was recorded by an earlier version, which did not tell.
    """

    input: str
    size: int
    mtime_ns: int
    settings: str
    status: str
    output: str = ""
    output_size: int = 0
    model: str = ""
    error: str = ""
    exit_code: int = 0
    run: str = ""
    output_mtime_ns: int = 0
    root: str = ""  # of one that was recorded by an earlier version
    time_ns: int = field(default=0, compare=False)

    @classmethod
    def parse(cls, line: bytes) -> Record | None:
        """The record of a line of JSON; None if it holds none, as it was torn, say."""
        try:
            values: Any = json.loads(line)
            record = cls(**values | {"root": sys.intern(values.get("root", ""))})  # which most have in common
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None
        kinds = {item.name: type(getattr(record, item.name)).__name__ for item in dataclasses.fields(cls)}
        return record if all(kinds[item.name] == item.type for item in dataclasses.fields(cls)) else None

    @property
    def origin(self) -> Origin:
        return Origin(self.root, self.input)

    @property
    def line(self) -> bytes:
        return json.dumps(dataclasses.asdict(self)).encode("ascii") + b"\n"

    def is_of(self, status: FileStatus, settings: str) -> bool:
        """Whether the input and the settings are those of this record."""
        return (self.size, self.mtime_ns, self.settings) == (status.st_size, status.st_mtime_ns, settings)

    def is_as_written(self, there: FileStatus) -> bool:
        """Whether what is at `output` now is what was written, so that nobody has changed it since."""
        if self.output_size == 0:  # nobody looked at it
            return True
        moved = abs(there.st_mtime_ns - self.output_mtime_ns) if self.output_mtime_ns else 0
        unit = math.gcd(there.st_mtime_ns, _SECOND_NS)  # which the file system keeps, or what copied the file
        if unit == _SECOND_NS:
            unit *= 2  # some keep every other second
        return stat.S_ISREG(there.st_mode) and there.st_size == self.output_size and moved <= unit

    def agrees(self, other: Record) -> bool:
        """Whether the other record is of the same input and settings."""
        return (self.size, self.mtime_ns, self.settings) == (other.size, other.mtime_ns, other.settings)
