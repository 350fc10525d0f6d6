"""`scales batch`."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

import scales_cli.cli.options as opt

Shard = tuple[int, int]


def parse_shard(text: str) -> Shard:
    """ "3/8" is the third of eight parts."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(f"{text!r} is not a part such as 3/8, of which the first is 1/8")
    return int(match[1]), int(match[2])


def parse_on_clash(text: str) -> str:
    if text not in ("stop", "skip", "number"):
        raise typer.BadParameter(f"{text!r} is not stop, skip or number")
    return text


def parse_folder(text: str) -> Any:
    """An empty name, as of a variable that is not set, is not the working folder, nor - a folder of that name."""
    if not text:
        raise typer.BadParameter("its name is empty")
    if text == "-":
        raise typer.BadParameter("a batch does not write to standard output: give a folder, ./- for one of this name")
    from scales_cli.storage.locations import locate

    return locate(text)


SELECTION, COURSE = "Which pictures", "Failures and resuming"

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="DIR|GLOB|FILE", help="Folders, quoted patterns, files; or addresses."),
]
Output = Annotated[
    Any,
    typer.Option(
        "-o",
        "--output",
        parser=parse_folder,
        metavar="DIR",
        rich_help_panel=opt.OUTPUT,
        help="Folder or address of the results, with the tree of the inputs.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j",
        "--jobs",
        min=1,
        max=256,
        metavar="N",
        rich_help_panel=opt.LIMITS,
        help="Pictures in work at a time. Default: as cores.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        rich_help_panel=opt.LIMITS,
        help="Work on a Dask cluster: tcp://host:8786, its file, or local:N.",
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", rich_help_panel=SELECTION, help="Only these names or paths; may be repeated."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", rich_help_panel=SELECTION, help="Not these names or paths; may be repeated."),
]
Flat = Annotated[bool, opt.flag("--no-recursive", panel=SELECTION, help="Leave out subfolders.")]
Part = Annotated[
    Any,
    typer.Option(
        "--shard",
        parser=parse_shard,
        metavar="I/N",
        rich_help_panel=SELECTION,
        help="Only part I of N, on as many machines.",
    ),
]
Overwrite = Annotated[bool, opt.flag("--overwrite", panel=opt.OUTPUT, help="Do all again and replace what exists.")]
OnClash = Annotated[
    str,
    typer.Option(
        "--on-clash",
        parser=parse_on_clash,
        metavar="stop|skip|number",
        autocompletion=opt.suggesting("stop", "skip", "number"),
        show_default=False,
        rich_help_panel=opt.OUTPUT,
        help="If inputs share an output: do nothing (stop), leave out all but one, or number them.",
    ),
]
RetryFailed = Annotated[bool, opt.flag("--retry-failed", panel=COURSE, help="Try again what failed before.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        metavar="SECONDS",
        rich_help_panel=COURSE,
        help="Give up a picture after this time. Default: never.",
    ),
]
FailFast = Annotated[bool, opt.flag("--fail-fast", panel=COURSE, help="Stop at the first failure.")]
DryRun = Annotated[bool, opt.flag("--dry-run", panel=COURSE, help="Only print what would be written.")]
Record = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        rich_help_panel=COURSE,
        help="Where to record what is done. Default: in the output folder.",
    ),
]


def batch(
    inputs: Inputs,
    output: Output,
    scale: opt.Factor = None,
    width: opt.Width = None,
    height: opt.Height = None,
    max_size: opt.MaxSize = None,
    model: opt.Model = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
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
    denoise: opt.Denoise = "auto",  # type: ignore[assignment]
    ensemble: opt.Ensemble = 1,
    name: opt.Name = None,
    keep_times: opt.KeepTimes = False,
    salvage: opt.Salvage = False,
    include: Include = None,
    exclude: Exclude = None,
    flat: Flat = False,
    on_clash: OnClash = "stop",
    overwrite: Overwrite = False,
    retry_failed: RetryFailed = False,
    timeout: Timeout = None,
    fail_fast: FailFast = False,
    dry_run: DryRun = False,
    manifest: Record = None,
    shard: Part = None,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    print0: opt.Print0 = False,
    offline: opt.Offline = False,
) -> None:
    """Enlarge folders of pictures, but for what is done already.

    A bad file costs only itself. The paths of new results are printed. Failures
    are named at the end; the exit code is 1 then.

    $ scales batch photos/ -o large/                 # a folder, or the rest of it
    $ scales batch photos/ -o large/ --retry-failed  # also what failed before
    """
    from scales_cli.batch.batch import preview, run
    from scales_cli.batch.request import BatchRequest
    from scales_cli.batch.selection import Filter
    from scales_cli.cli.batch_view import BatchReport
    from scales_cli.cli.console import downloading
    from scales_cli.errors import ScalesError
    from scales_cli.pipeline.enlargement import Enlargement

    enlargement = Enlargement.of(
        model,
        scale=scale,
        width=width,
        height=height,
        max_size=max_size,
        format=image_format,
        quality=quality,
        lossless=lossless,
        background=background,
        metadata=metadata,
        frames=frames,
        name=name,
        keep_times=keep_times,
        salvage=salvage,
        denoise=denoise,
        ensemble=ensemble,
        max_pixels=max_pixels,
        tile=tile,
    )
    enlargement.pull(downloading(quiet))
    request = BatchRequest(
        inputs=inputs,
        output=output,
        enlargement=enlargement,
        chosen=Filter(include or (), exclude or ()),
        recursive=not flat,
        shard=shard,
        manifest=manifest,
        on_clash=on_clash,
        overwrite=overwrite,
        retry_failed=retry_failed,
        fail_fast=fail_fast,
        jobs=jobs,
        threads=threads,
        max_memory=max_memory,
        timeout=timeout,
        scheduler=scheduler,
    )
    with (
        BatchReport(quiet=quiet, verbose=verbose, as_json=as_json, null=print0, preview=dry_run) as report,
        closing((preview if dry_run else run)(request, report.watch)) as outcomes,
    ):
        for outcome in outcomes:
            report.add(outcome)
    report.summarise()
    if report.failures:
        raise ScalesError(f"{len(report.failures)} of {report.total} pictures failed", "the lines above name them")
