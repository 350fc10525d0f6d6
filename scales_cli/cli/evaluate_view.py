"""What `scales eval` shows: a table for each benchmark set, or for each folder of degraded pictures."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scales_cli.cli.console import printable
from scales_cli.evaluation.degraded import DegradedReport
from scales_cli.evaluation.scores import BenchmarkReport, Scores
from scales_cli.evaluation.switch import Kind, Switch
from scales_cli.video.clips import ClipScores


def print_table(benchmark: BenchmarkReport, model: str, scale: int) -> None:
    """A line for each picture and their mean, bicubic interpolation beside the model."""
    table = Table(title=Text(printable(f"{benchmark.name} x{scale}")), title_justify="left")
    table.add_column("")
    for name in ("bicubic", printable(model)):
        table.add_column(Text(f"{name}\nPSNR dB"), justify="right")
        table.add_column(Text("\nSSIM"), justify="right")
    for row in benchmark.images:
        table.add_row(Text(printable(row.name)), *_cells(row))
    table.add_section()
    table.add_row(Text("mean"), *_cells(benchmark.mean))
    Console(highlight=False).print(table)


def _cells(row: Scores) -> tuple[str, ...]:
    return f"{row.bicubic_psnr:.2f}", f"{row.bicubic_ssim:.4f}", f"{row.psnr:.2f}", f"{row.ssim:.4f}"


def print_clips_table(rows: Sequence[ClipScores], model: str, scale: int) -> None:
    """What the output changes from frame to frame over what bicubic's does, and the PSNR: frame by frame, as video."""
    title = Text(printable(f"{model} x{scale}: changes against bicubic's"))
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("the picture")
    for name in ("noise", "frame by frame", "video", "PSNR dB", "video dB"):
        table.add_column(name, justify="right")
    for row in rows:
        change = f"{row.psnr - row.psnr_alone:+.2f}"
        noise = "" if row.noise is None else f"{row.noise:g}"
        figures = (noise, f"{row.change_alone:.2f}x", f"{row.change:.2f}x", f"{row.psnr_alone:.2f}", change)
        table.add_row(Text(printable(row.motion)), *figures)
    Console(highlight=False).print(table)


def print_degraded_table(reports: Sequence[DegradedReport], model: str, scale: int) -> None:
    """A line for each degradation: the model, in PSNR beside bicubic interpolation, else as what it changes of that.

    "flat" is how much of the error in flat areas it passes on, "blocks" the steps between JPEG blocks, "text" the share
    of letters that cannot be read, and at the end stands the picture for which it does least.
    """
    title = Text(printable(f"{model} x{scale}: means over pictures, against bicubic interpolation"))
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in ("bicubic\nPSNR", "own\nPSNR", "gain\ndB", "\nSSIM", "\nchroma", "\nflat", "\nblocks", "\ntext"):
        table.add_column(Text(name), justify="right", no_wrap=True)
    table.add_column(Text("least gain"), no_wrap=True, max_width=11)  # names are cut, figures are not
    for report in reports:
        own, plain = report.model, report.bicubic
        worst, gain = min(report.gains.items(), key=lambda item: item[1])
        table.add_row(
            Text(report.degradation.name),
            f"{plain.psnr:.2f}",
            f"{own.psnr:.2f}",
            f"{own.psnr - plain.psnr:+.2f}",
            f"{own.ssim - plain.ssim:+.3f}",
            _change(own.chroma_psnr, plain.chroma_psnr, 1),
            f"{own.flat_error / plain.flat_error:.2f}x" if plain.flat_error else "",
            f"{own.blockiness - plain.blockiness:+.2f}",
            _change(own.character_errors, plain.character_errors, 3),
            Text(printable(f"{gain:+.2f} {worst}")),
        )
    Console(highlight=False).print(table)


def print_switch_tables(kinds: Sequence[Kind], switches: Sequence[Switch], models: Sequence[str]) -> None:
    """A line for each degradation with both models' gains; a line for each strength that auto may switch at."""
    clean, mending = (Text(printable(name)) for name in models)
    table = Table(title="Gains over bicubic interpolation, dB", title_justify="left", box=None, pad_edge=False)
    for name in ("", "strength", clean, mending):
        table.add_column(name, justify="right" if name else "left")
    for kind in kinds:
        table.add_row(kind.degradation, f"{kind.strength:.2f}", f"{kind.clean:+.2f}", f"{kind.mending:+.2f}")
    console = Console(highlight=False)
    console.print(table)
    title = Text(f"If {mending} has all pictures from a strength on")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("auto_from", "mean gain", "below bicubic", "least gain"):
        table.add_column(name, justify="right")
    table.add_column("of", no_wrap=True)
    for switch in switches:
        strength = "never" if switch.auto_from > 1 else f"{switch.auto_from:.2f}"
        gains = f"{switch.mean:+.3f}", f"{switch.below}", f"{switch.least:+.2f}"
        table.add_row(strength, *gains, Text(printable(switch.of)))
    console.print(table)


def _change(own: float | None, plain: float | None, digits: int) -> str:
    return "" if own is None or plain is None else f"{own - plain:+.{digits}f}"
