"""What `scales eval` shows: a table for each benchmark set."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scales_cli.cli.console import printable
from scales_cli.evaluation.degraded import DegradedReport
from scales_cli.evaluation.scores import BenchmarkReport, Scores


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


def print_degraded_table(reports: Sequence[DegradedReport], model: str, scale: int) -> None:
    """A line for each degradation: bicubic interpolation, the model, and the picture for which it does least."""
    table = Table(title=Text(printable(f"{model} x{scale}, means over pictures")), title_justify="left")
    scores = ("gain\ndB", "SSIM", "chroma\nPSNR", "flat\nerror", "blocks", "letters\nwrong")
    for name in ("", "bicubic\nPSNR", "model\nPSNR", *scores):
        table.add_column(Text(name), justify="right" if name else "left")
    table.add_column(Text("least gain\ndB"))
    for report in reports:
        own, plain = report.model, report.bicubic
        worst, gain = min(report.gains.items(), key=lambda item: item[1])
        table.add_row(
            Text(printable(report.degradation.title)),
            f"{plain.psnr:.2f}",
            f"{own.psnr:.2f}",
            f"{own.psnr - plain.psnr:+.2f}",
            f"{own.ssim - plain.ssim:+.3f}",
            _change(own.chroma_psnr, plain.chroma_psnr),
            f"{own.flat_error / plain.flat_error:.2f}x" if plain.flat_error else "",
            f"{own.blockiness:.2f} ({plain.blockiness:.2f})",
            "" if own.character_errors is None else f"{own.character_errors:.3f} ({plain.character_errors:.3f})",
            Text(printable(f"{gain:+.2f} {worst}")),
        )
    Console(highlight=False).print(table)


def _change(own: float | None, plain: float | None) -> str:
    return "" if own is None or plain is None else f"{own - plain:+.1f}"
