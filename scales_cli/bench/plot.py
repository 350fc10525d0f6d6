"""A plot of time and memory against the picture's size."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any

from scales_cli.bench.contenders.registry import INSTALL
from scales_cli.bench.report import Contest, Report
from scales_cli.errors import OutputError, OutputExistsError, ScalesError, UsageError

FORMATS = (".png", ".svg")


def check_plot(path: Path, *, overwrite: bool = False) -> None:
    """Raises if `plot` would fail after everything was measured."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: plots are PNG or SVG", "end its name in .png or .svg")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder does not exist", "make it first")
    if path.exists() and not overwrite:
        raise OutputExistsError(path)
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ScalesError("matplotlib is not installed, which draws the plot", INSTALL) from error


def plot(report: Report, path: Path) -> None:
    """A row for each model and number of threads: seconds and peak memory over LR megapixels, both logarithmic."""
    from matplotlib.figure import Figure

    groups: dict[tuple[str, int], list[Contest]] = defaultdict(list)
    for contest in report.contests:
        groups[contest.model, contest.threads].append(contest)
    names = list(dict.fromkeys(row.contender for item in report.contests for row in item.rows))
    styles = {
        name: {
            "color": f"C{index % 10}",
            "marker": "os^v"[index // 10 % 4],
            "linewidth": 3 if name == "scales" else 1.2,
        }
        for index, name in enumerate(names)
    }
    figure = Figure(figsize=(10, 0.8 + 3.4 * len(groups)), layout="constrained")
    axes = figure.subplots(len(groups), 2, squeeze=False)
    for (time_axis, memory_axis), ((model, threads), contests) in zip(axes, groups.items(), strict=True):
        contests.sort(key=lambda item: item.pixels)
        for name in names:
            draw(time_axis, contests, name, "seconds", styles[name])
            draw(memory_axis, contests, name, "memory", styles[name])
        trained = "" if contests[0].trained else " (random weights)"
        time_axis.set_title(f"{model}{trained}, {threads} thread" + "s" * (threads > 1), loc="left")
        ticks = {item.pixels / 1e6: f"{item.width}x{item.height}" for item in contests}
        for axis, quantity in ((time_axis, "seconds"), (memory_axis, "peak memory, MB")):
            axis.set(xlabel="LR picture", ylabel=quantity, xscale="log", yscale="log")
            axis.set_xticks([], minor=True)
            axis.set_xticks(list(ticks), labels=list(ticks.values()))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.grid(which="both", alpha=0.25)
        memory_axis.yaxis.set_minor_formatter("{x:g}")
    handles = {line.get_label(): line for axis in itertools.chain(*axes) for line in axis.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside right center", frameon=False)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}", "choose another file") from error


def draw(axis: Any, contests: list[Contest], name: str, quantity: str, style: dict[str, Any]) -> None:
    """One contender's line, as far as it was measured."""
    points = []
    for contest in contests:
        for row in contest.rows:
            if row.contender == name:
                seconds, memory = row.ns_per_pixel.median * contest.pixels / 1e9, row.peak_memory
                value = seconds if quantity == "seconds" else memory and memory / 1e6
                if value is not None:
                    points.append((contest.pixels / 1e6, value))
    if points:
        axis.plot(*zip(*points, strict=True), label=name, **style)
