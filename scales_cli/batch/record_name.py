"""Names of records in a storage, which say all that the next run has to know: listings tell names, not what is inside.

INPUT.WORK.begun.OUTPUT.RUN      the process RUN is about to put the output, or has put it and not recorded that
INPUT.WORK.done.OUTPUT.VERSION   the output was put, and is done as long as it is this version
INPUT.WORK.failed                nothing was put

INPUT is a digest of the input's root and place, OUTPUT of the output's place, WORK of the input's size and time and of
the settings, VERSION of what the storage says of the output: its size, its time and its tag.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from scales_cli.batch.record import BEGUN, DONE, FAILED, Origin, Record
from scales_cli.storage.objects import FileStatus

_NAME = re.compile(
    rf"([0-9a-f]{{24}})\.([0-9a-f]{{24}})\.(?:({FAILED})|({BEGUN}|{DONE})\.([0-9a-f]{{24}})\.([0-9a-f-]+))"
)


@dataclass(frozen=True, slots=True)
class RecordName:
    """`mark` is the process or the version."""

    input: str
    work: str
    status: str
    output: str = ""
    mark: str = ""

    @classmethod
    def of(cls, record: Record, mark: str = "") -> RecordName:
        origin, work = origin_digest(record.origin), work_digest(record.size, record.mtime_ns, record.settings)
        if record.status == FAILED:
            return cls(origin, work, FAILED)
        return cls(origin, work, record.status, place_digest(record.output), mark)

    @classmethod
    def parse(cls, name: str) -> RecordName | None:
        """None for what is no such name."""
        matched = _NAME.fullmatch(name)
        return (
            None if matched is None else cls(matched[1], matched[2], matched[3] or matched[4], *matched.groups("")[4:])
        )

    def __str__(self) -> str:
        return ".".join(filter(None, (self.input, self.work, self.status, self.output, self.mark)))


def origin_digest(origin: Origin) -> str:
    return place_digest("\0".join(origin))


def place_digest(place: str) -> str:
    return _digest(place.encode("utf-8", "surrogateescape"))


def work_digest(size: int, mtime_ns: int, settings: str) -> str:
    return _digest(f"{size} {mtime_ns} {settings}".encode())


def version_digest(place: str, status: FileStatus | os.stat_result) -> str:
    return place_digest(f"{status.st_size} {status.st_mtime_ns} {place}")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
