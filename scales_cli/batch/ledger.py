"""Records of a batch in a storage: a small object for each output, in `.scales-batch/0` to `f` of the output folder.

The listings of these and of the outputs tell what is done: a request for a thousand pictures, none for each. Nothing is
locked. Whoever puts an output records it afterwards, by the version that the storage tells then. A version that records
of several settings claim, as runs at once may bring about, is nobody's. In a record is all of it, for people.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import PurePosixPath

from scales_cli.batch.record import BEGUN, DONE, FAILED, MOST_BYTES, Origin, Record
from scales_cli.batch.record_name import RecordName, origin_digest, place_digest, version_digest, work_digest
from scales_cli.errors import InputError, OutputError, hint_of
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.storage.address import Address
from scales_cli.storage.listing import Listing
from scales_cli.storage.objects import FileStatus, entries_of, put_bytes, reading, remove, status_of
from scales_cli.system.files import is_at_work, this_process

_FOLDER = ".scales-batch"
_NOTE = b"""Records of `scales batch`: which pictures beside this folder are done, by which model and options.
Without them these pictures count as somebody else's, which are left alone.
"""


@dataclass(frozen=True)
class Entry:
    """What is recorded of a picture where it is worked on, around the work.

    That it has `begun` is said until it is recorded what was put; `superseded` are the records of before.
    """

    folder: Address
    target: Address
    begun: Record
    superseded: tuple[RecordName, ...]

    def begin(self) -> None:
        """Raises `OutputError` if that cannot be recorded."""
        self._put(self.begun, self.begun.run)

    def end(self, outcome: Done | Failed) -> Done | Failed:
        """The outcome; a failure if an output was put that cannot be recorded, and will be done again."""
        if isinstance(outcome, Done):
            try:
                with _writing(self.target):
                    put = status_of(self.target)
                done = dataclasses.replace(
                    self.begun, status=DONE, output_size=put.st_size, model=outcome.choice, run=""
                )
                name = self._put(done, version_digest(done.output, put))
            except OutputError as error:
                return Failed(outcome.input, error.about(outcome.input))
            _remove(self.folder, *(other for other in self.superseded if other != name))
        self.withdraw()
        return outcome

    def withdraw(self) -> None:
        """As if the work had not begun."""
        _remove(self.folder, RecordName.of(self.begun, self.begun.run))

    def _put(self, record: Record, mark: str) -> RecordName:
        name = RecordName.of(record, mark)
        with _writing(self.folder):
            put_bytes(_address(self.folder, name), record.line)
        return name


class Ledger:
    """The records in a storage, as they are when they are first asked for. Raises `OutputError`."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._folder = listing.root / _FOLDER
        self._names: list[str] | None = None  # sorted
        self._begun: dict[str, list[RecordName]] = defaultdict(list)  # by outputs' digests
        self._spent: list[RecordName] = []  # of what is done, which runs did not come to remove that were killed
        self._versions: dict[PurePosixPath, dict[str, str]] = {}  # names of outputs, in each folder by their version

    def prepare(self) -> None:
        """Puts a note, so that a storage that cannot be written to is an `OutputError` before any work.

        Removes what stands beside the records that were found.
        """
        with _writing(self._folder):
            put_bytes(self._folder / "README.txt", _NOTE)
        _remove(self._folder, *self._spent)

    def find(self, origin: Origin, status: FileStatus, settings: str) -> Record | None:
        """What became of an input as it is now, by these settings. It is done only while its output is as it was."""
        known = Record(origin.place, status.st_size, status.st_mtime_ns, settings, DONE, root=origin.root)
        names, work = self._names_of(origin), work_digest(known.size, known.mtime_ns, settings)
        for name in names:
            if (name.work, name.status) == (work, DONE):
                contested = any(other.mark == name.mark and other.work != work for other in names)
                if not contested and (found := self._output(origin.place, name)):
                    output, size = found
                    self._spent += [other for other in names if other.output == name.output and other != name]
                    return dataclasses.replace(known, output=output, output_size=size)
        failed = RecordName.of(dataclasses.replace(known, status=FAILED))
        return self._opened(failed) if failed in names else None

    def output_of(self, origin: Origin) -> str:
        """What was last written for an input, if it is there."""
        outputs = (self._output(origin.place, name) for name in self._names_of(origin) if name.status == DONE)
        return next((found[0] for found in outputs if found is not None), "")

    def owns(self, output: str, origin: Origin, there: FileStatus | None = None) -> bool:
        """Whether what is `there` at `output`, if anything, is what a run put for this input, or may be."""
        return self._is_one_of(origin, self._records_of(output, there)) or self.claims(output, origin)

    def wrote(self, output: str, there: FileStatus | None) -> bool:
        """Whether what is `there`, if anything, is what is recorded of `output`."""
        return bool(self._records_of(output, there))

    def _records_of(self, output: str, there: FileStatus | None) -> list[RecordName]:
        """Those of what is `there` at an output, or of whatever was put there."""
        digest = place_digest(output) if there is None else version_digest(output, there)
        return self._written.get(digest, [])

    def claims(self, output: str, origin: Origin) -> bool:
        """Whether a file at `output` may be what this run or one that has ended put for an input, unrecorded."""
        self._read()
        begun = self._begun.get(place_digest(output), ())
        ended = [name for name in begun if name.mark == this_process() or not is_at_work(name.mark)]
        return self._is_one_of(origin, ended)

    def _is_one_of(self, origin: Origin, names: list[RecordName]) -> bool:
        """Whether records of these names are of an input; what only they themselves tell is read of few of them."""
        digest = origin_digest(origin)
        if any(name.input == digest for name in names):
            return True
        return any((record := self._opened(name)) is not None and origin.is_of(record) for name in names)

    def begin(self, record: Record) -> Entry:
        """What whoever does the work is to record."""
        key = place_digest(record.output)
        superseded = tuple(name for name in self._names_of(record.origin) if name.output in ("", key))
        return Entry(self._folder, self._listing.root / record.output, record, superseded)

    def append(self, record: Record) -> None:
        """Records a failure, if it would be the same the next time."""
        if record.status != FAILED or record.exit_code != InputError.exit_code:
            return
        name = RecordName.of(record)
        with suppress(OSError):  # or it is tried again
            put_bytes(_address(self._folder, name), record.line)
        outdated = [other for other in self._names_of(record.origin) if other.status == FAILED and other != name]
        _remove(self._folder, *outdated)

    def _names_of(self, origin: Origin) -> list[RecordName]:
        names, key = self._read(), origin_digest(origin)
        start = bisect_left(names, key)
        end = bisect_left(names, f"{key}~", start)
        return [name for text in names[start:end] if (name := RecordName.parse(text)) is not None]

    def _read(self) -> list[str]:
        if self._names is None:
            with _reading(self._folder):
                folders = self._listing.contents(self._folder).folders
                found = [below.name for folder in folders for below, _ in entries_of(self._folder / folder)]
            self._names = sorted(found)
            for name in filter(None, map(RecordName.parse, found)):
                if name.status == BEGUN:
                    self._begun[name.output].append(name)
        return self._names

    @cached_property
    def _written(self) -> dict[str, list[RecordName]]:
        """Records by the digests of outputs, and of their versions: of no need where all is done."""
        found = defaultdict(list)
        for name in filter(None, map(RecordName.parse, self._read())):
            if name.status == DONE:
                found[name.output].append(name)
                found[name.mark].append(name)
        return dict(found)

    def _output(self, place: str, name: RecordName) -> tuple[str, int] | None:
        """The output of an input and its size, if it is the version of that name."""
        below = PurePosixPath(place).parent
        with _reading(self._listing.root / below):
            files = self._listing.contents(self._listing.root / below).files
        if below not in self._versions:
            self._versions[below] = {version_digest((below / name).as_posix(), files[name]): name for name in files}
        file = self._versions[below].get(name.mark)
        return None if file is None else ((below / file).as_posix(), files[file].st_size)

    def _opened(self, name: RecordName) -> Record | None:
        """A record with all that is in it."""
        address = _address(self._folder, name)
        with _reading(address), suppress(FileNotFoundError), reading(address) as stream:
            return Record.parse(stream.read(MOST_BYTES))
        return None


def _address(folder: Address, name: RecordName) -> Address:
    return folder / name.input[0] / str(name)


def _remove(folder: Address, *names: RecordName) -> None:
    with suppress(OSError):  # who may not remove anything leaves them: they do no harm
        for name in names:
            remove(_address(folder, name))


@contextmanager
def _asking(address: Address, verb: str, done: str) -> Iterator[None]:
    """What the storage refuses, as `OutputError`: `address` cannot be `done`, see what you may `verb`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{address}: cannot be {done}: {error.strerror or error}",
            hint_of(error, f"check what you may {verb} there, or keep records in a --manifest FILE"),
        ) from error


_writing = partial(_asking, verb="write", done="written")
_reading = partial(_asking, verb="list", done="listed")
