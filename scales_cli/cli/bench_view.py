"""What `scales bench` shows on a terminal, within 80 columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple, replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scales_cli.backbones.cost import Cost
from scales_cli.bench.contenders.plain import SOURCE
from scales_cli.bench.contenders.registry import PROGRAM
from scales_cli.bench.latency import Spread
from scales_cli.bench.report import Contest, LayerSpeed, Report
from scales_cli.cli.console import printable


def print_report(report: Report) -> None:
    console = Console(highlight=False)
    about = report.machine
    amx = {"used": "used by the others", "kept off": "there, but not used", "absent": "none"}[about["amx"]]
    console.print(Text(f"{about['cpu']}, {about['cores']} cores, {about['isa']} kernels, AMX: {amx}"))
    console.print(Text("medians (low-high)" + ("" if report.ensemble == 1 else f"; ensembles of {report.ensemble}")))
    for contest in report.contests:
        console.print("", frames_table(contest, report.scale) if contest.video else times_table(contest))
        if contest.layer is not None:
            console.print(Text(describe_layer(contest.layer)))
    for model in dict.fromkeys(contest.model for contest in report.contests):
        console.print("", networks_table(report, model))
    for table in marginal_tables(report):
        console.print("", table)
    if report.published:
        console.print("", published_table(report), Text(SOURCE))


def marginal_tables(report: Report) -> Iterator[Table]:
    """For each model and number of threads that `scales upscale` was timed with at several sizes."""
    groups: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for item in report.marginals():
        groups[item.model, item.threads][item.contender] = item.ns_per_pixel
    for (model, threads), times in groups.items():
        if program := times.get(PROGRAM):
            title = f"{model}, {threads_of(threads)}: each further LR pixel, from the smallest picture to the largest"
            table = new_table(title, "", "ns", f"time / {PROGRAM}")
            for name, ns in times.items():
                add_row(table, name, f"{ns:,.0f}", ratio_of(ns / program))
            yield table


def times_table(contest: Contest) -> Table:
    size, threads = f"{contest.width}x{contest.height}", threads_of(contest.threads)
    title = f"{_name(contest)}, {size}, {threads}, {contest.rounds} rounds"
    table = new_table(title, "", "ns per LR pixel", "MP/s out", "time / scales", "peak MB")
    for row in contest.rows:
        memory = "" if row.peak_memory is None else f"{row.peak_memory / 1e6:,.0f}"
        ratio = ratio_of(row.times_scales.median)
        speed = f"{row.output_megapixels_per_second:.2f}"
        add_row(table, row.contender, spread(row.ns_per_pixel), speed, ratio, memory)
    return table


def frames_table(contest: Contest, scale: int) -> Table:
    """Frames a second by the clock; and by processor time, which others' work on this machine hardly changes."""
    size = f"{contest.width}x{contest.height} to {scale * contest.width}x{scale * contest.height}"
    title = f"{_name(contest)}, {size}, {threads_of(contest.threads)}, {contest.rounds} rounds"
    table = new_table(title, "", "frames/s", "a core's frames/s", "time / scales", "peak MB")
    for row in contest.rows:
        rates = Spread(*(1e9 / (ns * contest.pixels) for ns in astuple(row.ns_per_pixel)))
        rates = replace(rates, low=rates.high, high=rates.low)
        memory = "" if row.peak_memory is None else f"{row.peak_memory / 1e6:,.0f}"
        core = f"{rates.median / max(row.busy_cores, 1e-9):,.1f}"
        add_row(table, row.contender, spread(rates, 1), core, ratio_of(row.times_scales.median), memory)
    return table


def networks_table(report: Report, model: str) -> Table:
    """What does not depend on size and threads; other models have tables of their own."""
    contests = [contest for contest in report.contests if contest.model == model]
    models = {contest.model for contest in report.contests}
    rows = {row.contender: row for contest in contests for row in contest.rows if row.contender not in models}
    table = new_table(_name(contests[0]), "", "file KB", "parameters K", "operations G", "PSNR dB")
    for row in rows.values():
        cost = row.cost or Cost(0, 0)
        figures = (
            (row.model_bytes or 0) / 1e3,
            cost.parameters / 1e3,
            cost.operations / 1e9,
            row.psnr or 0.0,
        )
        texts = (f"{value:,.{digits}f}" if value else "" for value, digits in zip(figures, (1, 1, 3, 2), strict=True))
        add_row(table, row.contender, *texts)
    return table


def published_table(report: Report) -> Table:
    """What trained networks of the timed shapes score."""
    sets = list(report.published[0].psnr)
    table = new_table("PSNR of trained networks of these shapes, in dB", "", *sets)
    for row in report.published:
        add_row(table, f"{row.network}, {row.precision}", *(f"{row.psnr[name]:.2f}" for name in sets))
    return table


def describe_layer(layer: LayerSpeed) -> str:
    text = f"one binary layer: {spread(layer.ns_per_pixel, 1)} ns per LR pixel"
    plain, fraction = layer.peak_macs_per_second.median / 1e12, 100 * layer.fraction.median
    return f"{text},\n  {fraction:.0f} % of bare xor, popcount, add: {plain:.2f} T binary multiply-accumulates a second"


def ratio_of(value: float) -> str:
    """Two decimals, more for what they would show as nothing."""
    return f"{value:.2f}" if value >= 0.095 else f"{value:.2g}"


def spread(values: Spread, digits: int = 0) -> str:
    median, low, high = (f"{value:,.{digits}f}" for value in (values.median, values.low, values.high))
    return f"{median} ({low}-{high})"


def new_table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=Text(printable(title)), title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def add_row(table: Table, name: str, *cells: str) -> None:
    table.add_row(Text(printable(name)), *map(Text, cells))


def threads_of(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _name(contest: Contest) -> str:
    return contest.model if contest.trained else f"{contest.model} (random weights)"
