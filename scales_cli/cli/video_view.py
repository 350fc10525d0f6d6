"""A video in work, seen from the terminal: frames, their rate, and the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scales_cli.cli.console import describe_seconds, printable, say, shows_bars

_LINE_SECONDS = 30.0  # between lines off a terminal
_NAME_COLUMNS = 20  # of a name: what is left of 80 is for the bar and the figures

Watch = Callable[[int], object]


@contextmanager
def frame_bar(name: str, *, quiet: bool) -> Iterator[Callable[[int | None], Watch]]:
    """What is told how many frames there are, if that is known, and gives what is to be told of each that is done.

    A bar on a terminal, a line now and then elsewhere.
    """
    if quiet or sys.stderr is None:
        yield lambda total: lambda done: None
    elif not shows_bars():
        yield _Lines
    else:
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        from scales_cli.cli.bars import BarConsole

        columns = (
            TextColumn(
                "{task.fields[label]}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=_NAME_COLUMNS),
            ),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}", markup=False, table_column=Column(no_wrap=True)),
        )
        with Progress(*columns, console=BarConsole(), transient=True) as progress:
            task = progress.add_task("", total=None, label=printable(name), figures="")

            def watch(total: int | None) -> Watch:
                rate = _Rate(total)
                progress.update(task, total=total)
                return lambda done: progress.update(task, completed=done, figures=rate.describe(done))

            yield watch


class _Rate:
    def __init__(self, total: int | None) -> None:
        self._total, self._started = total, time.monotonic()

    def describe(self, done: int) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        text = f"{done / seconds:.1f} frames/s"
        if self._total is None:
            return f"{done} frames, {text}"
        left = describe_seconds(seconds * max(self._total - done, 0) / done)
        return f"{done} of {self._total} frames, {text}, {left} left"


class _Lines:
    def __init__(self, total: int | None) -> None:
        self._rate = _Rate(total)
        self._last = time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._last > _LINE_SECONDS:
            self._last = time.monotonic()
            say(f"scales: {self._rate.describe(done)}")
