"""Many pictures: their outputs are planned before any work, failures cost one file each, what is done stays done."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scales_cli.engine.resources import anonymous_bytes
from scales_cli.errors import InputError, MemoryLimitError, OutputError, OutputExistsError, ScalesError
from scales_cli.imaging.files import remove_abandoned_files, remove_temporary_files
from scales_cli.pipeline.jobs import JobResult
from scales_cli.pipeline.manifest import DONE, FAILED, Manifest, Record
from scales_cli.pipeline.plan import check_clashes
from scales_cli.pipeline.selection import Item
from scales_cli.pipeline.worker import WorkerError
from scales_cli.pipeline.worker_pool import WorkerPool

SKIPPED = "skipped"

Watch = Callable[[list[tuple[Item, float]]], None]  # sees the pictures in work and their done fractions


@dataclass(frozen=True)
class Outcome:
    """What became of an input: `result` where it is done, `error` where it failed, `reason` where nothing was tried."""

    item: Item
    status: str
    output: Path | None = None
    result: JobResult | None = None
    error: ScalesError | None = None
    reason: str = ""


@dataclass(frozen=True)
class BatchPlan:
    """`targets` has the output of every input there is work for; `settled` are the others.

    `seen` is each input as it was before it was looked at, so that one which changes while it is read is not done.
    """

    output: Path
    manifest: Manifest
    fingerprint: str
    overwrite: bool
    targets: dict[Item, Path] = field(default_factory=dict)
    settled: list[Outcome] = field(default_factory=list)
    seen: dict[Item, os.stat_result] = field(default_factory=dict)


def plan_batch(
    pool: WorkerPool[Item],
    items: Sequence[Item],
    output: Path,
    manifest: Manifest,
    fingerprint: str,
    *,
    overwrite: bool = False,
    retry_failed: bool = False,
    watch: Watch = lambda running: None,
) -> BatchPlan:
    """Looks at every input that the manifest does not settle.

    Raises `OutputError` where two inputs share an output, or an output is an input.
    """
    plan = BatchPlan(output, manifest, fingerprint, overwrite)
    unknown = []
    for item in items:
        outcome = _known_outcome(plan, item, retry_failed)
        if outcome is None:
            unknown.append(item)
        else:
            plan.settled.append(outcome)
    found = {}
    for item, answer, _ in pool.run(unknown, "locate", lambda item: (item.source, output / item.place.parent), watch):
        found[item] = answer
    located = {item: found[item] for item in unknown if isinstance(found[item], Path)}
    targets = [(os.fspath(outcome.item.source), outcome.output) for outcome in plan.settled if outcome.output]
    targets += [(os.fspath(item.source), target) for item, target in located.items()]
    check_clashes(targets, [item.source for item in items])
    for item in unknown:
        target = located.get(item)
        if target is None:
            plan.settled.append(Outcome(item, FAILED, error=_naming(item, found[item])))
        elif os.path.lexists(target) and not _replaces(plan, item, target):
            plan.settled.append(Outcome(item, SKIPPED, target, reason="exists"))
        else:
            plan.targets[item] = target
    return plan


def run_batch(
    pool: WorkerPool[Item], plan: BatchPlan, limit: int, watch: Watch = lambda running: None
) -> Iterator[Outcome]:
    """Enlarges what is planned, and yields what becomes of every input as soon as it is known and recorded.

    `limit` bounds the memory of all processes together. A picture that does not fit in its worker's share is tried
    again at the end, alone.
    """
    room = limit - anonymous_bytes()
    if room <= 0:
        raise MemoryLimitError(f"{limit // 2**20} MiB of memory do not even hold the program", "raise --max-memory")
    _make_output(plan.output)
    plan.manifest.prepare()
    for folder in {target.parent for target in plan.targets.values()}:
        remove_abandoned_files(folder)
    for outcome in plan.settled:
        if outcome.status == FAILED and not outcome.reason:
            _record(plan, outcome)
        yield outcome
    too_large = []
    for outcome in _enlarge(pool, plan, plan.targets, room // pool.size, watch):
        if isinstance(outcome.error, MemoryLimitError) and pool.size > 1:
            too_large.append(outcome.item)
        else:
            yield outcome
    if too_large:
        pool.shrink(1)
        yield from _enlarge(pool, plan, too_large, room, watch)


def _enlarge(
    pool: WorkerPool[Item], plan: BatchPlan, items: Iterable[Item], limit: int, watch: Watch
) -> Iterator[Outcome]:
    made: list[Path] = []

    def arguments(item: Item) -> tuple[Any, ...]:
        target = plan.targets[item]
        made.extend(_make_folder(target.parent))
        return item.source, target, _replaces(plan, item, target), limit

    try:
        for item, answer, pid in pool.run(items, "enlarge", arguments, watch):
            target = plan.targets[item]
            if isinstance(answer, WorkerError):
                remove_temporary_files(target.parent, pid)
            if isinstance(answer, JobResult):
                outcome = Outcome(item, DONE, target, result=answer)
            elif isinstance(answer, OutputExistsError):  # which it did not when the batch was planned
                outcome = Outcome(item, SKIPPED, target, reason="exists")
            else:
                outcome = Outcome(item, FAILED, error=_naming(item, answer))
            if outcome.status != SKIPPED and not (isinstance(answer, MemoryLimitError) and pool.size > 1):
                _record(plan, outcome)
            yield outcome
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # of those with something in them
                folder.rmdir()


def _known_outcome(plan: BatchPlan, item: Item, retry_failed: bool) -> Outcome | None:
    """What the manifest says of an input, if that and the settings have not changed."""
    record = plan.manifest.find(item.place.as_posix())
    try:
        status = plan.seen[item] = item.source.stat()
    except OSError:
        return None
    if record is None or not record.is_of(status, plan.fingerprint):
        return None
    if record.status == FAILED:
        if retry_failed or record.exit_code != InputError.exit_code:  # what else went wrong may be right now
            return None
        error = InputError(record.error, "failed before; --retry-failed tries again")
        return Outcome(item, FAILED, error=error, reason="failed before")
    target = plan.output / record.output
    if plan.overwrite or not _is_file_of(target, record.output_size):
        return None
    return Outcome(item, SKIPPED, target, reason="done before")


def _is_file_of(path: Path, size: int) -> bool:
    try:
        status = path.stat()
    except (OSError, ValueError):  # of whatever a damaged manifest says
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _replaces(plan: BatchPlan, item: Item, target: Path) -> bool:
    """Whether a file at `target` may be replaced: by order, or because an earlier run of ours wrote it."""
    record = plan.manifest.find(item.place.as_posix())
    ours = record is not None and record.output == target.relative_to(plan.output).as_posix()
    return plan.overwrite or ours


def _record(plan: BatchPlan, outcome: Outcome) -> None:
    """A line in the manifest."""
    status = plan.seen.get(outcome.item)
    if status is None:  # there was no file
        return
    error = outcome.error
    plan.manifest.append(
        Record(
            input=outcome.item.place.as_posix(),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            settings=plan.fingerprint,
            status=outcome.status,
            output=outcome.output.relative_to(plan.output).as_posix() if outcome.output else "",
            output_size=outcome.output.stat().st_size if outcome.output else 0,
            error=error.message if error else "",
            exit_code=error.exit_code if error else 0,
        )
    )


def _naming(item: Item, error: ScalesError) -> ScalesError:
    """An error whose message begins with the input's path."""
    name = os.fspath(item.source)
    if not error.message.startswith(f"{name}:"):
        error.message = f"{name}: {error.message}"
    return error


def _make_output(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}", "choose another -o") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written to", "choose another -o, or change its permissions")


def _make_folder(folder: Path) -> list[Path]:
    """Makes a folder and those above it; gives the new ones, the outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    with suppress(OSError):  # which the worker meets again, and reports
        folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]
