"""Many pictures: outputs are known before the work on them, failures cost one file each, what is done stays done."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from scales_cli.batch.crew import Crew, LocalCrew, Running, is_too_large
from scales_cli.batch.draft import Draft
from scales_cli.batch.history import History
from scales_cli.batch.naming import Naming
from scales_cli.batch.outcome import LeftOut, Outcome, Planned, Skipped
from scales_cli.batch.request import BatchRequest
from scales_cli.batch.selection import Item, select
from scales_cli.batch.unseen import Answer, Chunk, Unseen
from scales_cli.batch.worker import BatchWorker
from scales_cli.engine.load import check_engine
from scales_cli.errors import InputError, OutputError, OutputExistsError
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.pipeline.plan import check_times
from scales_cli.pipeline.targets import check_bucket
from scales_cli.storage.address import Address
from scales_cli.storage.locations import Location, locate
from scales_cli.system.files import make_folder, new_folders, remove_abandoned_files
from scales_cli.system.process_pool import Call, Later
from scales_cli.system.processes import WorkerError


@dataclass(frozen=True)
class Status:
    """How far a batch is: in `planning`, `seen` of `total` inputs have been looked at, and nothing is enlarged yet.

    `running` are the places in the tree of the pictures in work, each with its done fraction; of those in work at the
    `workers` of a cluster nothing is known. `news` are lines that were not told before.
    """

    total: int
    seen: int
    planning: bool
    running: Sequence[tuple[PurePath, float]] = ()
    workers: int | None = None
    news: Sequence[str] = ()


Watch = Callable[[Status], None]  # called several times a second


def run(request: BatchRequest, watch: Watch = lambda status: None) -> Generator[Outcome, None, None]:
    """Enlarges pictures, and yields what becomes of every input as soon as it is known and recorded.

    Raises `ScalesError` before any work if the request cannot be met as a whole: no model, no pictures, two inputs of
    one output, no room for records.
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
        batch.plan(all_of_them=True)
        for item, draft in batch.drafts.items():
            yield Planned(item.name, os.fspath(draft.target))
        yield from batch.unreadable
        yield from (outcome for _, outcome in batch.settled)
        yield from batch.left_out


class _Batch:
    """A request in the doing: `drafts` are what there is to do, `settled` the inputs that there is nothing to do for.

    Pictures that cannot share an output are looked at when there is a worker for them. One that does not fit in its
    share of the memory is tried again at the end, alone and by a new worker, as by `scales upscale`.
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
        self.unreadable = [Failed(os.fspath(folder), error) for folder, error in selection.failures]
        check_times(request.enlargement.output, request.output, *(item.source for item in selection.items))
        self._history = History(request, fingerprint)
        self._naming = Naming(request, self._history, selection.items)
        self._items = self._naming.items
        self._news = [f"warning: --exclude {pattern} excludes nothing" for pattern in selection.idle]
        self._crew = _gather_crew(request, self._items, self._news.append)
        self.drafts: dict[Item, Draft] = {}
        self.settled: list[tuple[Item, Failed | Skipped]] = []
        self._refused: set[Item] = set()  # of the settled ones, those that are not on record yet
        self._unseen = Unseen(self._crew.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what is in work. Pictures that were done meanwhile are recorded, of others nothing is left."""
        for item, answer in self._crew.close():
            if not isinstance(item, Item) or item not in self.drafts:  # only looked at, or on record
                continue
            with suppress(OutputError):  # of records that cannot be written: what ended the batch is told instead
                outcome = self._outcome(item, answer)
                if isinstance(answer, WorkerError) or is_too_large(outcome):  # in its share of the memory
                    self._history.interrupt(item)
                else:
                    self._history.record(item, outcome)

    def plan(self, *, all_of_them: bool = False) -> None:
        """Looks at the inputs that no record settles, as far as they could share an output, or at all.

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
                continue
            self.settled.append((item, outcome))
            if isinstance(outcome, Skipped):
                self._naming.claim(outcome.input, locate(outcome.output))
        first = unknown if all_of_them else self._naming.doubtful(unknown)
        found: dict[Item, Answer] = {}
        self._unseen.add(first)

        def watch(running: object) -> None:
            self._report(len(self.settled) + len(found))

        for chunk, answer in self._crew.run(self._unseen.tasks(), self._call, watch):
            found.update(self._unseen.found(chunk, answer))
        self._settle({item: found[item] for item in first})
        self._unseen.add([item for item in unknown if item not in found])

    def run(self) -> Iterator[Outcome]:
        """Enlarges what is planned; every outcome is recorded before it is told."""
        self._crew.begin()
        _make_output(self.request.output)
        self._history.prepare()
        yield from self.unreadable
        for item, settled in self.settled:
            if item in self._refused:
                self._history.record(item, settled)
            yield settled
        self.settled.clear()
        too_large: list[Item] = []
        for item, outcome in self._work(deque(self.drafts)):
            if is_too_large(outcome) and item in self.drafts:
                self._history.interrupt(item)  # or what was begun now would be an earlier run's when it begins again
                too_large.append(item)
                continue
            yield self._recorded(item, outcome)
        if too_large:
            self._crew.alone()
            for item, outcome in self._work(deque(too_large)):
                yield self._recorded(item, outcome)

    def _work(self, ready: deque[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Enlarges what is ready, and looks at the inputs that nobody has seen yet."""
        swept: set[Path] = set()

        def tasks() -> Iterator[Item | Chunk | Later]:
            for chunk in self._unseen.tasks():
                while ready:
                    yield ready.popleft()
                yield chunk
            while ready:
                yield ready.popleft()

        def call(task: Item | Chunk) -> Call:
            if not isinstance(task, Item):
                return self._call(task)
            draft = self.drafts[task]
            folder = draft.target.parent
            if isinstance(folder, Path):  # a storage needs none, and shows nothing before it is complete
                if folder not in swept:
                    swept.add(folder)
                    remove_abandoned_files(folder)
                with suppress(OutputError):  # which the worker meets again, and reports
                    make(folder)
            return BatchWorker.enlarge, draft, self._history.begin(task, draft.target)

        def watch(running: Running) -> None:
            pictures = [(task.place, fraction) for task, fraction in running if isinstance(task, Item)]
            self._report(len(self._items), pictures)

        with new_folders() as make:
            for task, answer in self._crew.run(tasks(), call, watch):
                if isinstance(task, Item):
                    yield task, self._outcome(task, answer)
                    continue
                self._settle(self._unseen.found(task, answer))
                ready.extend(item for item in task if item in self.drafts)
                yield from self.settled
                self.settled.clear()

    def _call(self, chunk: Chunk) -> Call:
        return BatchWorker.locate, [(item.url, os.fspath(self._naming.folder(item))) for item in chunk]

    def _settle(self, answers: Mapping[Item, Answer]) -> None:
        """Makes drafts of what was found, or tells why there is nothing to do."""
        located = {
            item: (self._naming.folder(item) / answer[0], answer[1])
            for item, answer in answers.items()
            if isinstance(answer, tuple)
        }
        assigned = self._naming.assign([(item, target) for item, (target, _) in located.items()])
        for item, answer in answers.items():
            if not isinstance(answer, tuple):
                self.settled.append((item, _failed(item, answer)))
                self._refused.add(item)
                continue
            own, header = located[item]
            target = assigned[item]
            replaces = target is not None and self._history.may_replace(item, target)
            if target is None:
                self.settled.append((item, Skipped(item.name, os.fspath(own), "clash")))
            elif not replaces and self._history.is_there(target):
                self.settled.append((item, Skipped(item.name, os.fspath(target), "exists")))
            else:
                self.drafts[item] = Draft(item.source, target, header, replaces)

    def _recorded(self, item: Item, outcome: Outcome) -> Outcome:
        self._history.record(item, outcome)
        self.drafts.pop(item, None)
        return outcome

    def _outcome(self, item: Item, answer: Done | Failed | WorkerError) -> Outcome:
        if isinstance(answer, Failed) and isinstance(answer.error, OutputExistsError):  # since it was planned
            return Skipped(answer.input, os.fspath(self.drafts[item].target), "exists")
        return answer if isinstance(answer, Done) else _failed(item, answer)

    def _report(self, seen: int, running: Sequence[tuple[PurePath, float]] | None = None) -> None:
        total = len(self._items) + len(self.unreadable)
        news, self._news[:] = tuple(self._news), []
        planning, workers = running is None, self._crew.workers
        self._watch(Status(total, seen, planning, running or (), workers, news))


def _gather_crew(request: BatchRequest, items: Sequence[Item], tell: Callable[[str], None]) -> Crew:
    if request.scheduler is None:
        return LocalCrew.of(request, len(items))
    from scales_cli.batch.cluster.crew import ClusterCrew

    return ClusterCrew(request, items, request.scheduler, tell)


def _failed(item: Item, answer: Failed | WorkerError) -> Failed:
    if isinstance(answer, Failed):
        return answer
    return Failed(item.name, answer.about(item.name))


def _make_output(folder: Location) -> None:
    if isinstance(folder, Address):  # whose bucket was looked for with each output
        return
    make_folder(folder, "choose another -o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written to", "choose another -o, or change its permissions")
