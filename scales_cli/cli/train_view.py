"""What `scales train` shows: a bar with figures on a terminal, lines off it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scales_cli.cli.console import describe_seconds, say, shows_bars

if TYPE_CHECKING:
    from scales_cli.training.trainer import Status


def describe(psnr: float | None) -> str:
    """A validation's PSNR in dB, "not yet" before the first."""
    return "not yet" if psnr is None else f"{psnr:.3f} dB"


class Display:
    """A progress bar on a terminal; off it, a line for the first report and each validation."""

    def __init__(self, steps: int, *, visible: bool = True) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from scales_cli.cli.bars import BarConsole

        self.bar = Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=BarConsole(),
            disable=not (visible and shows_bars()),
        )
        self.plain = visible and not shows_bars()
        self.steps = steps
        self.task = self.bar.add_task("train", total=steps, figures="")
        self.last_psnr: float | None = math.nan  # differs from all

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def compiling(self) -> None:
        text = "compiling, once: a minute or two"
        self.bar.update(self.task, figures=text)
        if self.plain:
            say(text)

    def show(self, status: Status) -> None:
        progress = status.progress
        figures = f"{status.steps_per_second:.1f} it/s  loss {status.loss:.2f}  valid {describe(progress.valid_psnr)}"
        self.bar.update(self.task, completed=progress.step, figures=figures)
        if self.plain and progress.valid_psnr != self.last_psnr:
            left = describe_seconds((self.steps - progress.step) / status.steps_per_second)
            say(f"step {progress.step} of {self.steps}: {figures}  {left} left")
        self.last_psnr = progress.valid_psnr
