"""A batch seen from the terminal: two bars on one, plain lines off it, failures by name at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scales_cli.cli.console import (
    describe_seconds,
    print_failure,
    print_json,
    print_path,
    print_result,
    printable,
    say,
    say_error,
)
from scales_cli.errors import ScalesError
from scales_cli.pipeline.batch import SKIPPED, BatchPlan, Outcome
from scales_cli.pipeline.manifest import DONE, FAILED
from scales_cli.pipeline.selection import Item

_LINE_SECONDS = 30.0  # between lines off a terminal


class BatchReport:
    """Counts outcomes and shows them. Below bars, paths go to standard output only where that is no terminal."""

    def __init__(self, total: int, *, quiet: bool, as_json: bool) -> None:
        self.total = total
        self.counts = dict.fromkeys((DONE, SKIPPED, FAILED), 0)
        self.failures: list[ScalesError] = []
        self._reasons: dict[str, int] = {}
        self._quiet, self._as_json = quiet, as_json
        self._started = self._last_line = time.monotonic()
        self._pixels = 0
        terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bars = None if quiet or not terminal else _Bars(total)

    def __enter__(self) -> BatchReport:
        if self._bars:
            self._bars.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.progress.stop()

    def watch(self, running: list[tuple[Item, float]]) -> None:
        """Shows the picture that has been in work for longest, and how it all goes."""
        if self._bars:
            self._bars.show(sum(self.counts.values()), f"{self._figures()}, {self._left()} left", running)
        elif not self._quiet and time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            say(f"scales: {sum(self.counts.values())} of {self.total} pictures, {self._figures()}, {self._left()} left")

    def add(self, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        name = os.fspath(outcome.item.source)
        if outcome.error is not None:
            self.failures.append(outcome.error)
            if self._as_json:
                print_failure(name, outcome.error)
        elif outcome.result is not None:
            self._pixels += outcome.result.width * outcome.result.height
            silent = self._quiet or (self._bars is not None and sys.stdout is not None and sys.stdout.isatty())
            print_result(outcome.result.to_dict(), quiet=silent, as_json=self._as_json)
        else:
            self._reasons[outcome.reason] = self._reasons.get(outcome.reason, 0) + 1
            if self._as_json:
                print_json({"input": name, "output": os.fspath(outcome.output or ""), "skipped": outcome.reason})

    def add_unreadable(self, folders: Iterable[tuple[Path, ScalesError]]) -> None:
        """Folders whose pictures are not known."""
        for folder, error in folders:
            self.failures.append(error)
            if self._as_json:
                print_failure(os.fspath(folder), error)

    def print_plan(self, plan: BatchPlan) -> None:
        """The outputs that a run would write, and what it would not do: failures by name."""
        for item, target in plan.targets.items():
            if self._as_json:
                print_json({"input": os.fspath(item.source), "output": os.fspath(target)})
            else:
                print_path(os.fspath(target))
        for outcome in plan.settled:
            self.add(outcome)
        for error in self.failures:
            say_error(error)

    def summarise(self) -> None:
        """Failures by name, then one line."""
        for error in self.failures:
            say_error(error)
        if self._quiet:
            return
        skipped = ", ".join(f"{count} {reason}" for reason, count in self._reasons.items())
        parts = [f"{self.counts[DONE]} done", f"{self.counts[SKIPPED]} skipped" + (f" ({skipped})" if skipped else "")]
        say(f"scales: {', '.join(parts)}, {len(self.failures)} failed, {self._figures()}")
        if "exists" in self._reasons:
            say("scales: warning: what exists and this batch did not write was left alone (--overwrite replaces it)")

    def _figures(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        return f"{self.counts[DONE] / seconds:.1f} pictures/s, {self._pixels / seconds / 1e6:.1f} MP/s"

    def _left(self) -> str:
        """By the pictures that took time: what is skipped takes none."""
        tried = self.counts[DONE] + self.counts[FAILED]
        remaining = self.total - tried - self.counts[SKIPPED]
        return describe_seconds((time.monotonic() - self._started) * remaining / tried) if tried else "unknown time"


class _Bars:
    """One for all pictures, one for the picture in work."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        columns: list[Any] = [
            TextColumn("{task.fields[label]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[figures]}", markup=False, table_column=Column(no_wrap=True)),
        ]
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
        self.all = self.progress.add_task("", total=total, label="", figures="")
        self.current = self.progress.add_task("", total=1.0, label="", figures="", visible=False)
        self.total = total

    def show(self, finished: int, figures: str, running: list[tuple[Item, float]]) -> None:
        self.progress.update(self.all, completed=finished, label=f"{finished} of {self.total}", figures=figures)
        if running:
            item, fraction = running[0]
            name = printable(item.place.as_posix())
            self.progress.update(
                self.current, completed=fraction, label=name, figures=f"{100 * fraction:.0f} %", visible=True
            )
