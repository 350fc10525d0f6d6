"""A batch seen from the terminal: two bars on one, plain lines off it, failures by name at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from scales_cli.batch.batch import Status
from scales_cli.batch.outcome import LeftOut, Outcome, Planned, Skipped
from scales_cli.cli.console import (
    describe_seconds,
    print_failure,
    print_json,
    print_path,
    print_result,
    printable,
    say,
    say_error,
    shows_bars,
)
from scales_cli.errors import ScalesError
from scales_cli.pipeline.outcome import Done, Failed

_LINE_SECONDS = 30.0  # between lines off a terminal


class BatchReport:
    """Counts outcomes and shows them. Below bars, paths go to standard output only if that is no terminal."""

    def __init__(
        self, *, quiet: bool, as_json: bool, verbose: bool = False, null: bool = False, preview: bool = False
    ) -> None:
        """`preview` is of a batch that is only planned."""
        self.total = 0  # of the inputs, known with the first status
        self.failures: list[ScalesError] = []
        self._done = self._skipped = self._planned = 0
        self._reasons: dict[str, int] = {}
        self._left_out: dict[str, int] = {}  # by extension
        self._skips: list[Skipped] = []  # of a preview, which names them
        self._quiet, self._verbose, self._as_json, self._preview = quiet, verbose, as_json, preview
        self._null = null
        self._started = self._last_line = time.monotonic()
        self._pixels = 0
        self._shares_terminal = sys.stdout is not None and sys.stdout.isatty()
        mixed = as_json and self._shares_terminal  # lines and bars would run into each other
        self._bars = None if quiet or mixed or not shows_bars() else _Bars()

    def __enter__(self) -> BatchReport:
        if self._bars:
            self._bars.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.progress.stop()

    def watch(self, status: Status) -> None:
        """Shows the picture that has been in work for longest, and how it all goes; planning counts in no rate."""
        self.total = status.total
        for line in () if self._quiet else status.news:
            say(f"scales: {line}")
        if status.planning:
            self._started = time.monotonic()
            text = f"looking at {status.seen} of {self.total}"
            seen, figures, line = status.seen, "", f"{text} pictures"
        else:
            seen = self._finished
            text, figures = f"{seen} of {self.total}", f"{self._figures()}, {self._left()} left"
            if status.workers is not None:
                figures += f", {status.workers} worker{'' if status.workers == 1 else 's'}"
            line = f"{text} pictures, {figures}"
        if self._bars:
            self._bars.show(seen, self.total, text, figures, status.running)
        elif not self._quiet and time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            say(f"scales: {line}")

    def add(self, outcome: Outcome | Planned) -> None:
        if self._preview and self._bars:  # there is nothing to wait for any more
            self._bars.progress.stop()
        match outcome:
            case Done():
                self._done += 1
                self._pixels += outcome.width * outcome.height
                silent = self._quiet or (self._bars is not None and self._shares_terminal)
                print_result(outcome, quiet=silent, verbose=self._verbose, as_json=self._as_json, null=self._null)
            case Failed():
                self.failures.append(outcome.error)
                if self._as_json:
                    print_failure(outcome.input, outcome.error)
            case Skipped():
                self._skipped += 1
                if self._preview:
                    self._skips.append(outcome)
                self._reasons[outcome.reason] = self._reasons.get(outcome.reason, 0) + 1
                if self._as_json:
                    print_json({"input": outcome.input, "output": outcome.output, "skipped": outcome.reason})
            case LeftOut():
                self._left_out[outcome.kind] = self._left_out.get(outcome.kind, 0) + 1
                if self._as_json:
                    print_json({"input": outcome.input, "left_out": outcome.kind})
            case Planned():
                self._planned += 1
                if self._as_json:
                    print_json({"input": outcome.input, "output": outcome.output})
                elif not self._quiet:
                    print_path(outcome.output, null=self._null)

    def summarise(self) -> None:
        """Failures by name, then a line or two."""
        for error in self.failures:
            say_error(error)
        if self._quiet:
            return
        for item in self._skips:
            say(f"scales: skipped: {item.input}: {item.output}: {item.reason}")
        reasons = ", ".join(f"{count} {reason}" for reason, count in self._reasons.items())
        skipped = f"{self._skipped} skipped" + (f" ({reasons})" if reasons else "")
        failed = f"{len(self.failures)} failed"
        if self._preview:
            say(f"scales: {self._planned} to do, {skipped}, {failed}")
        else:
            say(f"scales: {self._done} done, {skipped}, {failed}, {self._figures()}")
        if self._left_out:
            kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self._left_out.items()))
            count = sum(self._left_out.values())
            files = "1 file of a kind that is" if count == 1 else f"{count} files of kinds that are"
            say(f"scales: warning: {files} not read {'was' if count == 1 else 'were'} left out: {kinds}")
        if "exists" in self._reasons:
            say("scales: warning: files of others, or changed since, were left alone (--overwrite replaces them)")

    @property
    def _finished(self) -> int:
        return self._done + self._skipped + len(self.failures)

    def _figures(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        return f"{self._done / seconds:.1f} pictures/s, {self._pixels / seconds / 1e6:.1f} MP/s"

    def _left(self) -> str:
        """By the pictures that took time: what is skipped takes none."""
        tried = self._done + len(self.failures)
        remaining = self.total - self._finished
        return describe_seconds((time.monotonic() - self._started) * remaining / tried) if tried else "unknown time"


class _Bars:
    """One for all pictures, one for the picture in work."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        from scales_cli.cli.bars import BarConsole

        columns: list[Any] = [
            TextColumn("{task.fields[label]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[figures]}", markup=False, table_column=Column(no_wrap=True)),
        ]
        self.progress = Progress(*columns, console=BarConsole(), transient=True, redirect_stdout=False)
        self.all = self.progress.add_task("", total=None, label="", figures="")
        self.current = self.progress.add_task("", total=1.0, label="", figures="", visible=False)

    def show(self, seen: int, total: int, label: str, figures: str, running: Sequence[tuple[PurePath, float]]) -> None:
        self.progress.update(self.all, completed=seen, total=total, label=label, figures=figures)
        if running:
            place, fraction = running[0]
            name = printable(place.as_posix())
            self.progress.update(
                self.current, completed=fraction, label=name, figures=f"{100 * fraction:.0f} %", visible=True
            )
