"""What `scales eval` shows: a table for each benchmark set."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scales_cli.cli.console import printable
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
