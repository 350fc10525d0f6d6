"""Many pictures: their outputs are planned before any work, failures cost one file each, what is done stays done."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from scales_cli.batch.history import History
from scales_cli.batch.outcome import LeftOut, Outcome, Planned, Skipped
from scales_cli.batch.request import BatchRequest
from scales_cli.batch.selection import Item, select
from scales_cli.batch.worker import BatchWorker
from scales_cli.engine.load import check_engine
from scales_cli.errors import InputError, MemoryLimitError, OutputError, OutputExistsError
from scales_cli.pipeline.memory import default_limit
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.pipeline.plan import Job
from scales_cli.pipeline.targets import check_bucket, check_clashes
from scales_cli.storage.address import Address
from scales_cli.storage.locations import Location, is_there, locate
from scales_cli.system.files import make_folder, remove_abandoned_files, remove_temporary_files
from scales_cli.system.process_pool import WorkerPool
from scales_cli.system.processes import WorkerError
from scales_cli.system.resources import anonymous_bytes, usable_cores

_WORKER_BYTES = 256 * 2**20  # for a program with its modules, and a picture of some megapixels


@dataclass(frozen=True)
class Status:
    """How far a batch is: in `planning`, `seen` of `total` inputs have been looked at; no work is done before the end.

    `running` are the places in the tree of the pictures in work, each with its done fraction.
    """

    total: int
    seen: int
    planning: bool
    running: Sequence[tuple[PurePath, float]] = ()


Watch = Callable[[Status], None]  # called several times a second


def run(request: BatchRequest, watch: Watch = lambda status: None) -> Generator[Outcome, None, None]:
    """Enlarges pictures, and yields what becomes of every input as soon as it is known and recorded.

    Raises `ScalesError` before any work if the request cannot be met as a whole: no model, no pictures, two inputs of
    one output, no room for a manifest.
    """
    with _Batch(request, watch) as batch:
        batch.plan()
        yield from batch.left_out
        for outcome in batch.run():
            yield outcome
            if request.fail_fast and isinstance(outcome, Failed):
                return


def preview(request: BatchRequest, watch: Watch = lambda status: None) -> Generator[Planned | Outcome, None, None]:
    """What `run` would do: every output it would write, then the inputs it would not enlarge. Nothing is written."""
    with _Batch(request, watch) as batch:
        batch.plan()
        for job in batch.jobs.values():
            yield Planned(job.name, os.fspath(_target(job)))
        yield from batch.unreadable
        yield from (outcome for _, outcome in batch.settled)
        yield from batch.left_out


class _Batch:
    """A request in the doing: `jobs` are what there is to do, `settled` are the inputs that there is nothing to do for.

    A picture that does not fit in its worker's share of the memory is tried again at the end, alone and by a worker
    that has done nothing before, as by `scales upscale`.
    """

    def __init__(self, request: BatchRequest, watch: Watch) -> None:
        first = request.enlargement.sizing.network_scales[0]
        check_engine(request.enlargement.family.open(first).weights)
        request.enlargement.check_denoise()
        self.request, self._watch = request, watch
        fingerprint = request.enlargement.fingerprint()
        selection = select(request.inputs, request.chosen, request.output, recursive=request.recursive)
        self.left_out = [LeftOut(os.fspath(item.source), item.source.suffix.lower()) for item in selection.unread]
        if not (selection.items or selection.failures):
            kinds = ", ".join(sorted({item.kind for item in self.left_out}))
            raise InputError(
                "there are no pictures among the inputs" + (f", but files that are not read: {kinds}" if kinds else ""),
                "convert them first" if kinds else "check the folders and patterns",
            )
        self._items = selection.shard(*request.shard) if request.shard else selection.items
        self.unreadable = [Failed(os.fspath(folder), error) for folder, error in selection.failures]
        self._limit = default_limit() if request.max_memory is None else request.max_memory
        self._own_bytes = 0  # of memory, when the work begins
        self._history = History(request, fingerprint)
        self._pool = _open_pool(request, len(self._items), self._limit)
        self.jobs: dict[Item, Job] = {}
        self.settled: list[tuple[Item, Failed | Skipped]] = []
        self._refused: set[Item] = set()  # of the settled ones, those that are not on record yet

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what is in work. Pictures that were done meanwhile are recorded, of others nothing is left."""
        for item, answer, pid in self._pool.close():
            if item not in self.jobs:  # which was only looked at
                continue
            with suppress(OutputError):  # of a manifest that cannot be written: what ended the batch is told instead
                if isinstance(answer, WorkerError):
                    _remove_temporary_files(_target(self.jobs[item]).parent, pid)
                    self._history.interrupt(item)
                else:
                    self._history.record(item, self._outcome(item, answer))

    def plan(self) -> None:
        """Looks at every input that the manifest does not settle.

        Raises `OutputError` if two inputs share an output, or an output is an input.
        """
        self._report(0)
        if isinstance(self.request.output, Address):
            check_bucket(self.request.output)
        unknown = []
        for item in self._items:
            outcome = self._history.known(item)
            if outcome is None:
                unknown.append(item)
            else:
                self.settled.append((item, outcome))
        found: dict[Item, Job | Failed | WorkerError] = {}
        answers = self._pool.run(
            unknown,
            BatchWorker.locate,
            lambda item: (item.source, self.request.output / item.place.parent),
            lambda running: self._report(len(self.settled) + len(found)),
        )
        for item, answer, _ in answers:
            found[item] = answer
        located = {item: job for item in unknown if isinstance(job := found[item], Job)}
        targets = [
            (outcome.input, locate(outcome.output)) for _, outcome in self.settled if isinstance(outcome, Skipped)
        ]
        targets += [(job.name, _target(job)) for job in located.values()]
        check_clashes(targets, [item.source for item in self._items])
        for item in unknown:
            answer = found[item]
            if not isinstance(answer, Job):
                self.settled.append((item, _failed(item, answer)))
                self._refused.add(item)
                continue
            target, replaces = _target(answer), self._history.may_replace(_target(answer))
            if is_there(target) and not replaces:
                self.settled.append((item, Skipped(answer.name, os.fspath(target), "exists")))
            else:
                self.jobs[item] = dataclasses.replace(answer, overwrite=replaces)

    def run(self) -> Iterator[Outcome]:
        """Enlarges what is planned; every outcome is recorded before it is told."""
        self._own_bytes = anonymous_bytes()
        room = self._limit - self._own_bytes
        if room <= 0:
            raise MemoryLimitError(
                f"{self._limit // 2**20} MiB of memory do not even hold the program", "raise --max-memory"
            )
        _make_output(self.request.output)
        self._history.prepare()
        for folder in {_target(job).parent for job in self.jobs.values()}:
            if isinstance(folder, Path):
                remove_abandoned_files(folder)
        yield from self.unreadable
        for item, settled in self.settled:
            if item in self._refused:
                self._history.record(item, settled)
            yield settled
        too_large: list[Item] = []
        for item, outcome in self._enlarge(self.jobs, room // self._pool.size):
            if _is_too_large(outcome):
                too_large.append(item)
                continue
            self._history.record(item, outcome)
            yield outcome
        if too_large:
            self._pool.renew(1)
            for item, outcome in self._enlarge(too_large, room, keep=_is_too_large):
                self._history.record(item, outcome)
                yield outcome

    def _enlarge(
        self, items: Iterable[Item], limit: int, keep: Callable[[Outcome], bool] = lambda outcome: True
    ) -> Iterator[tuple[Item, Outcome]]:
        """Of `limit` bytes for each worker; those whose outcome is not one to `keep` them for are replaced."""
        made: list[Path] = []

        def arguments(item: Item) -> tuple[Job, int, int]:
            made.extend(_make_folder(_target(self.jobs[item]).parent))
            self._history.begin(item, _target(self.jobs[item]))
            return self.jobs[item], limit, self._own_bytes

        def watch(running: Sequence[tuple[Item, float]]) -> None:
            self._report(len(self._items), [(item.place, fraction) for item, fraction in running])

        try:
            for item, answer, pid in self._pool.run(items, BatchWorker.enlarge, arguments, watch, keep):
                if isinstance(answer, WorkerError):
                    _remove_temporary_files(_target(self.jobs[item]).parent, pid)
                yield item, self._outcome(item, answer)
        finally:
            for folder in reversed(made):
                with suppress(OSError):  # of those with something in them
                    folder.rmdir()

    def _outcome(self, item: Item, answer: Done | Failed | WorkerError) -> Outcome:
        if isinstance(answer, Failed) and isinstance(answer.error, OutputExistsError):  # since it was planned
            return Skipped(answer.input, os.fspath(_target(self.jobs[item])), "exists")
        return answer if isinstance(answer, Done) else _failed(item, answer)

    def _report(self, seen: int, running: Sequence[tuple[PurePath, float]] | None = None) -> None:
        total = len(self._items) + len(self.unreadable)
        self._watch(Status(total, seen, planning=running is None, running=running or ()))


def _open_pool(request: BatchRequest, pictures: int, limit: int) -> WorkerPool[Item]:
    """Workers for a batch, by default one for each core; fewer if there are fewer pictures or little memory."""
    cores = usable_cores()
    size = max(1, min(request.jobs or cores, pictures, limit // _WORKER_BYTES))
    threads = request.threads or max(1, cores // size)
    return WorkerPool(size, BatchWorker, request.enlargement, threads, timeout=request.timeout)


def _target(job: Job) -> Location:
    assert job.target is not None  # as is always the case with a folder
    return job.target


def _failed(item: Item, answer: Failed | WorkerError) -> Failed:
    if isinstance(answer, Failed):
        return answer
    return Failed(os.fspath(item.source), answer.about(item.source))


def _is_too_large(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and isinstance(outcome.error, MemoryLimitError)


def _remove_temporary_files(folder: Location, pid: int) -> None:
    if isinstance(folder, Path):  # a storage shows nothing before it is complete
        remove_temporary_files(folder, pid)


def _make_output(folder: Location) -> None:
    if isinstance(folder, Address):  # whose bucket was looked for with each output
        return
    make_folder(folder, "choose another -o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written to", "choose another -o, or change its permissions")


def _make_folder(folder: Location) -> list[Path]:
    """Makes a folder and those above it; gives the new ones, the outermost first. Storages need none."""
    if isinstance(folder, Address):
        return []
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    with suppress(OSError):  # which the worker meets again, and reports
        folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]
