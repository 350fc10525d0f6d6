"""`scales batch`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

import scales_cli.cli.options as opt

Shard = tuple[int, int]


def parse_shard(text: str) -> Shard:
    """ "3/8" is the third of eight parts."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(f"{text!r} is not a part such as 3/8")
    return int(match[1]), int(match[2])


def parse_folder(text: str) -> Path:
    """An empty name, as of a variable that is not set, is not the working folder."""
    if not text:
        raise typer.BadParameter("its name is empty")
    return Path(text)


InputsArg = Annotated[
    list[str], typer.Argument(metavar="DIR|GLOB|FILE", help="Folders, quoted patterns or picture files.")
]
OutputOpt = Annotated[
    Path,
    typer.Option(
        "-o", "--output", parser=parse_folder, metavar="DIR", help="Folder of the results, with the tree of the inputs."
    ),
]
JobsOpt = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", min=1, max=256, metavar="N", show_default="usable cores", help="Pictures in work at a time."
    ),
]
IncludeOpt = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Only what matches, a name or a path; may be repeated.")
]
ExcludeOpt = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Not what matches, a name or a path; may be repeated.")
]
ShardOpt = Annotated[
    Any,
    typer.Option("--shard", parser=parse_shard, metavar="I/N", help="Only part I of N, for as many machines or jobs."),
]


def batch(
    inputs: InputsArg,
    output: OutputOpt,
    scale: opt.Factor = None,
    width: opt.Width = None,
    height: opt.Height = None,
    max_size: opt.MaxSize = None,
    model: opt.Model = None,
    jobs: JobsOpt = None,
    threads: opt.Threads = None,
    max_memory: opt.MaxMemory = None,
    max_pixels: opt.MaxPixels = "1G",  # type: ignore[assignment]
    tile: opt.Tile = None,
    image_format: opt.Format = None,
    quality: opt.Quality = None,
    lossless: opt.Lossless = False,
    background: opt.Background = None,
    metadata: opt.Metadata = "safe",
    frames: opt.Frames = "first",
    include: IncludeOpt = None,
    exclude: ExcludeOpt = None,
    flat: Annotated[bool, typer.Option("--no-recursive", help="Leave out subfolders.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do all again and replace what exists.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be written.")] = False,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to record what is done.", show_default="in the output")
    ] = None,
    shard: ShardOpt = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    offline: opt.Offline = False,
) -> None:
    """Enlarge folders of pictures: a bad file costs only itself, and what is done is not done again.

    The paths of new results are printed, one a line. Failures are named at the end; the exit code is 1 then.
    """
    from scales_cli.cli.batch_report import BatchReport
    from scales_cli.cli.console import progress_bar
    from scales_cli.engine.load import check_engine
    from scales_cli.errors import InputError, ScalesError
    from scales_cli.pipeline.batch import plan_batch, run_batch
    from scales_cli.pipeline.batch_worker import BatchOptions, open_pool
    from scales_cli.pipeline.manifest import Manifest
    from scales_cli.pipeline.memory import default_limit
    from scales_cli.pipeline.selection import Filter, select
    from scales_cli.weights.family import resolve

    written = opt.output_options(image_format, quality, lossless, background, metadata, frames)
    family = resolve(model)
    sizing = opt.sizing_options(scale, width, height, max_size, family.scales)
    family.pull(sizing.network_scales[0], lambda name: progress_bar(f"downloading {name}", quiet=quiet))
    check_engine(family.open(sizing.network_scales[0]).weights)
    options = BatchOptions(sizing, family, max_pixels, tile, written)
    fingerprint = options.fingerprint()
    selection = select(inputs, Filter(include or (), exclude or ()), output, recursive=not flat)
    items = selection.shard(*shard) if shard else selection.items
    if not (selection.items or selection.failures):
        raise InputError("there are no pictures among the inputs", "check the folders and patterns")
    limit = default_limit() if max_memory is None else max_memory
    known = Manifest.of(output, manifest, shard)
    report = BatchReport(len(items), quiet=quiet, as_json=as_json)
    with open_pool(options, len(items), jobs, threads, limit) as pool, report:
        plan = plan_batch(
            pool,
            items,
            output,
            known,
            fingerprint,
            overwrite=overwrite,
            retry_failed=retry_failed,
            watch=report.watch,
        )
        report.add_unreadable(selection.failures)
        if dry_run:
            report.print_plan(plan)
            return
        for outcome in run_batch(pool, plan, limit, report.watch):
            report.add(outcome)
            if fail_fast and report.failures:
                break
    report.summarise()
    if report.failures:
        total = len(items) + len(selection.failures)
        raise ScalesError(f"{len(report.failures)} of {total} pictures failed", "the lines above name them")
