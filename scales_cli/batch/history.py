"""What this and earlier runs of a batch have done: their records, with the pictures as they are now."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from scales_cli.batch.ledger import Entry, Ledger
from scales_cli.batch.manifest import Manifest
from scales_cli.batch.outcome import Outcome, Skipped
from scales_cli.batch.record import BEGUN, DONE, FAILED, LEFT, Record
from scales_cli.batch.request import BatchRequest
from scales_cli.batch.selection import Item
from scales_cli.errors import InputError, PixelLimitError, ScalesError, UnreadableError
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.storage.address import Address
from scales_cli.storage.listing import Listing
from scales_cli.storage.locations import Location, is_there, locate, status_of
from scales_cli.storage.objects import FileStatus
from scales_cli.system.files import this_process
from scales_cli.system.processes import WorkerError


class History:
    """Records are true of a picture and of settings (`fingerprint`); if either has changed, they say nothing.

    They are in a `Manifest`, where this process writes them, or beside outputs in a storage, in a `Ledger`, where
    whoever puts the output does so by an `Entry`.
    """

    def __init__(self, request: BatchRequest, fingerprint: str) -> None:
        self._request, self._fingerprint = request, fingerprint
        self._listing = Listing(request.output) if isinstance(request.output, Address) else None
        self._records = _records_of(request, self._listing)
        # Inputs before they were looked at, so that one which changes while it is read is not taken for done.
        self._stats: dict[Item, FileStatus] = {}
        # Targets, whether a run that has ended may have written what is there, and what workers record.
        self._begun: dict[Item, tuple[Location, bool, Entry | None]] = {}

    def prepare(self) -> None:
        """Makes room for records. Raises `OutputError` if none can be written."""
        self._records.prepare()

    def known(self, item: Item) -> Failed | Skipped | None:
        """What there is no need to try again, because it is done or cannot be done."""
        try:
            status = self._stats[item] = item.status or status_of(item.source)
        except OSError:
            return None
        record = self._records.find(item.origin, status, self._fingerprint)
        if record is None:
            return None
        name = item.name
        if record.status == FAILED:
            if self._request.retry_failed or record.exit_code != InputError.exit_code:  # others may be right now
                return None
            return Failed(name, InputError(record.error, "failed before; --retry-failed tries again"))
        target = self._request.output / record.output
        if record.status != DONE or self._request.overwrite or not self._is_file_of(target, record.output_size):
            return None
        return Skipped(name, os.fspath(target), "done before")

    def output_of(self, item: Item) -> Location | None:
        """What was last written for an input, or meant to be."""
        output = self._records.output_of(item.origin)
        return self._request.output / output if output else None

    def is_there(self, target: Location) -> bool:
        """Whether there is anything; in a storage, as of when its folder was first listed."""
        return is_there(target) if self._listing is None else self._status_of(target) is not None

    def may_replace(self, item: Item, target: Location) -> bool:
        """Whether a file at an input's `target` may be replaced: by order, or because it is what a run wrote."""
        return self._request.overwrite or self._owns(item, target)

    def begin(self, item: Item, target: Location) -> Entry | None:
        """Records that work begins, or gives what the worker is to record. Raises `OutputError` if that fails."""
        claimed, entry = self._records.claims(self._place(item, target), item.origin), None
        if item in self._stats:  # else there was no file when it was looked for
            entry = self._records.begin(self._record(item, BEGUN, output=self._place(item, target), run=this_process()))
        self._begun[item] = target, claimed, entry
        return entry

    def record(self, item: Item, outcome: Outcome) -> None:
        """Records what was tried, if no worker has. Raises `OutputError` if that is impossible."""
        target, claimed, entry = self._begun.pop(item, (None, False, None))
        match outcome:
            case Done():
                if entry is None:
                    path = locate(outcome.output)
                    put = _found(path)
                    size, time = (0, 0) if put is None else (put.st_size, put.st_mtime_ns)
                    output = self._place(item, path)
                    self._append(
                        item, DONE, output=output, output_size=size, output_mtime_ns=time, model=outcome.choice
                    )
            case Failed():
                died = isinstance(outcome.error, WorkerError)
                output = self._may_be_left(item, target, claimed=claimed, died=died)
                if entry is not None and died and not output:
                    entry.withdraw()
                self._append(
                    item, FAILED, output=output, error=outcome.error.message, exit_code=_lasting_code(outcome.error)
                )
            case Skipped():
                if target is not None and not claimed:  # a file of somebody else's, which came to be there meanwhile
                    self._append(item, LEFT)

    def interrupt(self, item: Item) -> None:
        """Records that the work on a picture was broken off, if it has left nothing."""
        target, claimed, entry = self._begun.pop(item, (None, True, None))
        if target is not None and not claimed and not self._may_be_new(item, target):
            if entry is not None:
                entry.withdraw()
            self._append(item, LEFT)

    def _may_be_left(self, item: Item, target: Location | None, *, claimed: bool, died: bool) -> str:
        """The place of what there may be of ours although the work failed: of this run, or of one that was killed."""
        if target is not None:
            return self._place(item, target) if claimed or (died and self._may_be_new(item, target)) else ""
        if isinstance(self._records, Ledger):  # whose records of the past stay
            return ""
        output = self._records.output_of(item.origin)
        return output if output and self._records.claims(output, item.origin) else ""

    def _may_be_new(self, item: Item, target: Location) -> bool:
        """Whether there may be something other than what was recorded before."""
        try:
            return not self._records.wrote(self._place(item, target), status_of(target))
        except FileNotFoundError:
            return False
        except OSError:  # a storage that does not tell
            return True

    def _append(self, item: Item, status: str, **values: Any) -> None:
        if item in self._stats:  # else there was no file
            self._records.append(self._record(item, status, **values))

    def _record(self, item: Item, status: str, **values: Any) -> Record:
        found = self._stats[item]
        values |= {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "settings": self._fingerprint}
        root, place = item.origin
        return Record(input=place, root=root, status=status, **values)

    def _owns(self, item: Item, target: Location) -> bool:
        return self._records.owns(self._place(item, target), item.origin, self._status_of(target))

    def _place(self, item: Item, target: Location) -> str:
        """An output's path within the output folder."""
        return item.above + target.name

    def _is_file_of(self, target: Location, size: int) -> bool:
        status = self._status_of(target)
        return status is not None and stat.S_ISREG(status.st_mode) and status.st_size == size

    def _status_of(self, target: Location) -> FileStatus | None:
        if self._listing is not None and isinstance(target, Address):
            with suppress(PermissionError):  # to list
                return self._listing.status_of(target)
        return _found(target)


def _lasting_code(error: ScalesError) -> int:
    """The exit code by which a record says whether the same would happen again."""
    return ScalesError.exit_code if isinstance(error, PixelLimitError | UnreadableError) else error.exit_code


def _found(target: Location) -> FileStatus | None:
    """None if there is nothing, or a damaged manifest says what cannot be."""
    with suppress(OSError, ValueError):
        return status_of(target)
    return None


def _records_of(request: BatchRequest, listing: Listing | None) -> Manifest | Ledger:
    if request.manifest is not None:
        return Manifest.at(request.manifest)
    if listing is not None:
        return Ledger(listing)
    assert isinstance(request.output, Path)
    return Manifest.of(request.output, request.shard)
