"""A training run seen from the terminal: its progress, and the signals that end it."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scales_cli.cli.console import say

if TYPE_CHECKING:
    from scales_cli.training.trainer import Status, Trainer


@contextmanager
def stopping_on_signals(trainer: Trainer) -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM ends the run after the present step, with a checkpoint; a second one at once."""
    received: list[int] = []

    def stop(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        trainer.stopping = True

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def describe(psnr: float | None) -> str:
    return "not yet" if psnr is None else f"{psnr:.3f} dB"


def describe_seconds(seconds: float) -> str:
    """ "45 s", "12 min" or "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


class Display:
    """A progress bar on a terminal; off it, a line for the first report and each validation."""

    def __init__(self, steps: int, *, visible: bool = True) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self.bar = Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not (visible and console.is_terminal),
        )
        self.plain = not console.is_terminal
        self.steps = steps
        self.task = self.bar.add_task("train", total=steps, figures="")
        self.last_psnr: float | None = math.nan  # differs from all

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, status: Status) -> None:
        progress = status.progress
        figures = f"{status.steps_per_second:.1f} it/s  loss {status.loss:.2f}  valid {describe(progress.valid_psnr)}"
        self.bar.update(self.task, completed=progress.step, figures=figures)
        if self.plain and progress.valid_psnr != self.last_psnr:
            left = describe_seconds((self.steps - progress.step) / status.steps_per_second)
            say(f"step {progress.step} of {self.steps}: {figures}  {left} left")
        self.last_psnr = progress.valid_psnr
