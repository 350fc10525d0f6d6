"""What this and earlier runs of a batch have done: the manifest, with the pictures as they are now."""

from __future__ import annotations

import os
import stat
from typing import Any

from scales_cli.batch.manifest import BEGUN, DONE, FAILED, LEFT, Manifest, Record
from scales_cli.batch.outcome import Outcome, Skipped
from scales_cli.batch.request import BatchRequest
from scales_cli.batch.selection import Item
from scales_cli.errors import InputError
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.storage.locations import Location, below, is_there, locate, status_of
from scales_cli.storage.objects import Status
from scales_cli.system.files import this_process
from scales_cli.system.processes import WorkerError


class History:
    """Records are true of a picture and of settings (`fingerprint`); if either has changed, they say nothing."""

    def __init__(self, request: BatchRequest, fingerprint: str) -> None:
        self._request, self._fingerprint = request, fingerprint
        self._manifest = Manifest.of(request.output, request.manifest, request.shard)
        # Inputs before they were looked at, so that one which changes while it is read is not taken for done.
        self._stats: dict[Item, os.stat_result | Status] = {}
        self._begun: dict[Item, tuple[Location, bool]] = {}  # targets, and whether files there were ours before

    def prepare(self) -> None:
        """Makes the manifest. Raises `OutputError` if it cannot be written."""
        self._manifest.prepare()

    def known(self, item: Item) -> Failed | Skipped | None:
        """What there is no need to try again, because it is done or cannot be done."""
        record = self._manifest.find(item.place.as_posix())
        try:
            status = self._stats[item] = item.status or status_of(item.source)
        except OSError:
            return None
        if record is None or not record.is_of(status, self._fingerprint):
            return None
        name = os.fspath(item.source)
        if record.status == FAILED:
            if self._request.retry_failed or record.exit_code != InputError.exit_code:  # others may be right now
                return None
            return Failed(name, InputError(record.error, "failed before; --retry-failed tries again"))
        target = self._request.output / record.output
        if record.status != DONE or self._request.overwrite or not _is_file_of(target, record.output_size):
            return None
        return Skipped(name, os.fspath(target), "done before")

    def output_of(self, item: Item) -> Location | None:
        """What was last written for an input, or meant to be."""
        record = self._manifest.find(item.place.as_posix())
        return self._request.output / record.output if record is not None and record.output else None

    def may_replace(self, target: Location) -> bool:
        """Whether a file at `target` may be replaced: by order, or because a run of ours wrote it."""
        return self._request.overwrite or self._owns(target)

    def begin(self, item: Item, target: Location) -> None:
        """A line in the manifest before work begins. Raises `OutputError` if it cannot be written."""
        self._begun[item] = target, self._owns(target)
        self._append(item, BEGUN, output=self._place(target), run=this_process())

    def record(self, item: Item, outcome: Outcome) -> None:
        """A line in the manifest, of what was tried. Raises `OutputError` if it cannot be written."""
        target, ours = self._begun.pop(item, (None, False))
        match outcome:
            case Done():
                path = locate(outcome.output)
                self._append(
                    item, DONE, output=self._place(path), output_size=status_of(path).st_size, model=outcome.choice
                )
            case Failed():
                dead = isinstance(outcome.error, WorkerError) and target is not None and is_there(target)
                output = self._place(target) if dead and target is not None else ""
                self._append(
                    item, FAILED, output=output, error=outcome.error.message, exit_code=outcome.error.exit_code
                )
            case Skipped():
                if target is not None and not ours:  # a file of somebody else's, which came to be there meanwhile
                    self._append(item, LEFT)

    def interrupt(self, item: Item) -> None:
        """A line for a picture whose work was broken off, if there is nothing of ours."""
        target, ours = self._begun.pop(item, (None, True))
        if target is not None and not ours and not is_there(target):
            self._append(item, LEFT)

    def _append(self, item: Item, status: str, **values: Any) -> None:
        found = self._stats.get(item)
        if found is not None:  # else there was no file
            values |= {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "settings": self._fingerprint}
            self._manifest.append(Record(input=item.place.as_posix(), status=status, **values))

    def _owns(self, target: Location) -> bool:
        return self._manifest.owns(self._place(target))

    def _place(self, target: Location) -> str:
        """An output's path within the output folder."""
        return below(target, self._request.output).as_posix()


def _is_file_of(path: Location, size: int) -> bool:
    try:
        status = status_of(path)
    except (OSError, ValueError):  # of whatever a damaged manifest says
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size
