"""What this and earlier runs of a batch have done: the manifest, with the pictures as they are now."""

from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path

from scales_cli.batch.manifest import DONE, FAILED, Manifest, Record
from scales_cli.batch.outcome import LeftOut, Outcome, Skipped
from scales_cli.batch.request import BatchRequest
from scales_cli.batch.selection import Item
from scales_cli.errors import InputError
from scales_cli.pipeline.outcome import Done, Failed


class History:
    """Records are true of a picture and of settings (`fingerprint`); if either has changed, they say nothing."""

    def __init__(self, request: BatchRequest, fingerprint: str) -> None:
        self._request, self._fingerprint = request, fingerprint
        self._manifest = Manifest.of(request.output, request.manifest, request.shard)
        # Inputs before they were looked at, so that one which changes while it is read is not taken for done.
        self._stats: dict[Item, os.stat_result] = {}

    def prepare(self) -> None:
        """Makes the manifest. Raises `OutputError` if it cannot be written."""
        self._manifest.prepare()

    def known(self, item: Item) -> Failed | Skipped | None:
        """What there is no need to try again, because it is done or cannot be done."""
        record = self._manifest.find(item.place.as_posix())
        try:
            status = self._stats[item] = item.source.stat()
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
        if self._request.overwrite or not _is_file_of(target, record.output_size):
            return None
        return Skipped(name, os.fspath(target), "done before")

    def may_replace(self, item: Item, target: Path) -> bool:
        """Whether a file at `target` may be replaced: by order, or because an earlier run of ours wrote it."""
        record = self._manifest.find(item.place.as_posix())
        ours = record is not None and record.output == self._place(target)
        return self._request.overwrite or ours

    def record(self, item: Item, outcome: Outcome) -> None:
        """A line in the manifest, of what was tried. Raises `OutputError` if it cannot be written."""
        status = self._stats.get(item)
        if status is None or isinstance(outcome, Skipped | LeftOut):  # there was no file, or nothing was done
            return
        record = Record(
            input=item.place.as_posix(),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            settings=self._fingerprint,
            status=DONE if isinstance(outcome, Done) else FAILED,
        )
        if isinstance(outcome, Done):
            output = Path(outcome.output)
            record = dataclasses.replace(record, output=self._place(output), output_size=output.stat().st_size)
        else:
            record = dataclasses.replace(record, error=outcome.error.message, exit_code=outcome.error.exit_code)
        self._manifest.append(record)

    def _place(self, target: Path) -> str:
        """An output's path within the output folder."""
        return target.relative_to(self._request.output).as_posix()


def _is_file_of(path: Path, size: int) -> bool:
    try:
        status = path.stat()
    except (OSError, ValueError):  # of whatever a damaged manifest says
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size
