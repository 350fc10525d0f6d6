"""`scales eval`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import scales_cli.cli.options as opt
from scales_cli.system.extras import require

if TYPE_CHECKING:
    from scales_cli.evaluation.degraded import UpscaleFile
    from scales_cli.pipeline.upscaler import Upscaler
    from scales_cli.system.progress import Progress
    from scales_cli.video.clips import ClipScores

Folders = Annotated[
    list[str], typer.Argument(metavar="DIR", help="Folders of HR pictures, or with HR/ and LRbicx4/ in them.")
]
Degrade = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=opt.SIZE,
        help="Score on pictures degraded so, as q60, noise10, old; or all. May be repeated.",
    ),
]
Switch = Annotated[
    bool,
    opt.flag(
        "--switch", panel=opt.SIZE, help="With --degrade: from which strength on auto should take the photo model."
    ),
]
Clips = Annotated[
    bool,
    opt.flag("--clips", panel=opt.SIZE, help="Score how steady video is, on clips over the pictures, or on videos."),
]


def evaluate(
    folders: Folders,
    scale: opt.Scale = 4,
    degrade: Degrade = None,
    switch: Switch = False,
    clips: Clips = False,
    denoise: opt.Denoise = "auto",  # type: ignore[assignment]
    ensemble: opt.Ensemble = 1,
    model: opt.Model = None,
    threads: opt.Threads = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
    offline: opt.Offline = False,
) -> None:
    """Score a model on benchmark sets, in PSNR and SSIM.

    $ scales eval Set5/ Set14/ -s 2 -m run  # a training run; the default model without -m
    $ scales eval photos/ --degrade all     # as people have them: JPEG, noise, blur
    """
    from scales_cli.cli.console import print_json, progress_bar
    from scales_cli.errors import UsageError
    from scales_cli.evaluation.datasets import find_benchmark
    from scales_cli.evaluation.scores import evaluate as run

    upscaler = open_model(model, scale, threads, ensemble, quiet=quiet)
    if denoise is not None and not degrade:
        raise UsageError("--denoise is for degraded pictures", "add --degrade")
    if switch and not degrade:
        raise UsageError("--switch is for degraded pictures", "add --degrade all")
    if switch and denoise is not None:
        raise UsageError("--switch looks at each picture's own strength", "leave --denoise out")
    if clips and degrade:
        raise UsageError("--clips and --degrade exclude each other", "leave one out")
    if clips:
        print_clips(upscaler, folders, quiet=quiet, as_json=as_json)
        return
    if degrade and switch:
        print_switch(upscaler, folders, degrade, quiet=quiet, as_json=as_json)
        return
    if degrade:
        print_degraded(upscaler, folders, degrade, denoise, quiet=quiet, as_json=as_json)
        return
    benchmarks = [find_benchmark(folder, scale) for folder in folders]
    with progress_bar("evaluating", quiet=quiet) as progress:
        report = run(upscaler, benchmarks, progress=progress)
    if as_json:
        print_json(identity(upscaler) | report.to_dict())
    elif not quiet:
        from scales_cli.cli.evaluate_view import print_table

        for benchmark in report.benchmarks:
            print_table(benchmark, label(upscaler), scale)


def print_degraded(
    upscaler: Upscaler, folders: list[str], names: list[str], denoise: float | None, *, quiet: bool, as_json: bool
) -> None:
    """Scores on the pictures in each folder, and on drawn ones, degraded in these ways."""
    from scales_cli.cli.console import print_json, progress_bar
    from scales_cli.cli.evaluate_view import print_degraded_table
    from scales_cli.evaluation.degradations import degradations
    from scales_cli.evaluation.degraded import evaluate_degraded, references

    chosen = degradations(names)
    for folder in folders:
        pictures = references(folder)
        with progress_bar(f"evaluating {folder}", quiet=quiet) as progress:
            reports = list(
                evaluate_degraded(scored(upscaler, denoise), pictures, chosen, upscaler.scale, progress=progress)
            )
        if as_json:
            rows = [report.to_dict() for report in reports]
            print_json(identity(upscaler) | {"scale": upscaler.scale, "set": folder, "degradations": rows})
        elif not quiet:
            print_degraded_table(reports, label(upscaler), upscaler.scale)


def scored(upscaler: Upscaler, denoise: float | None = None) -> UpscaleFile:
    """What is scored: files that an upscaler enlarges."""
    from scales_cli.evaluation.degraded import Enlarged
    from scales_cli.pipeline.library import enlarge_rgb

    def enlarge(file: bytes) -> Enlarged:
        pixels, chosen = enlarge_rgb(file, upscaler, denoise)
        return Enlarged(pixels, chosen.upscaler.name, None if chosen.wear is None else chosen.wear.strength)

    return enlarge


def print_switch(upscaler: Upscaler, folders: list[str], names: list[str], *, quiet: bool, as_json: bool) -> None:
    """What auto's two models make of degraded pictures, and from which strength on the second should have them."""
    from scales_cli.cli.console import print_json, progress_bar
    from scales_cli.cli.evaluate_view import print_switch_tables
    from scales_cli.errors import UsageError
    from scales_cli.evaluation.degradations import degradations
    from scales_cli.evaluation.degraded import evaluate_degraded, references
    from scales_cli.evaluation.switch import kinds, switches, trials

    candidates = list(upscaler.candidates(None))
    if len(candidates) != 2:
        raise UsageError(f"{upscaler.name} does not choose between two models at this scale", "use -m auto -s 4")
    chosen = degradations(names)
    for folder in folders:
        pictures, reports = references(folder), []
        for candidate in candidates:
            with progress_bar(f"{candidate.name}, {folder}", quiet=quiet) as progress:
                reports.append(
                    list(evaluate_degraded(scored(candidate), pictures, chosen, upscaler.scale, progress=progress))
                )
        tried, models = trials(*reports), [candidate.name for candidate in candidates]
        if as_json:
            values = {
                name: [asdict(row) for row in rows] for name, rows in (("trials", tried), ("switches", switches(tried)))
            }
            print_json({"models": models, "set": folder, **values})
        elif not quiet:
            print_switch_tables(kinds(tried), switches(tried), models)


def print_clips(upscaler: Upscaler, folders: list[str], *, quiet: bool, as_json: bool) -> None:
    """How steady the model's video is, on clips over the pictures in each folder, and on videos."""
    from scales_cli.cli.console import print_json, progress_bar
    from scales_cli.cli.evaluate_view import print_clips_table

    videos = [name for name in folders if Path(name).is_file()]
    groups: dict[str, Callable[[Progress | None], Iterable[ClipScores]]] = {
        folder: partial(score_folder, upscaler, folder) for folder in folders if folder not in videos
    }
    if videos:
        groups["real clips"] = lambda progress: (score_real_clip(upscaler, name) for name in videos)
    for name, score in groups.items():
        with progress_bar(f"evaluating {name}", quiet=quiet) as progress:
            rows = list(score(progress))
        if as_json:
            values = {"scale": upscaler.scale, "set": name, "clips": [asdict(row) for row in rows]}
            print_json(identity(upscaler) | values)
        elif not quiet:
            print_clips_table(rows, label(upscaler), upscaler.scale)


def score_folder(upscaler: Upscaler, folder: str, progress: Progress | None) -> Iterable[ClipScores]:
    from scales_cli.evaluation.datasets import find_benchmark
    from scales_cli.imaging.metrics import rgb_to_y
    from scales_cli.video.clips import score_clips

    pictures = [rgb_to_y(pair.load(upscaler.scale)[0]) for pair in find_benchmark(folder, upscaler.scale)]
    return score_clips(upscaler, pictures, progress=progress)


def score_real_clip(upscaler: Upscaler, name: str) -> ClipScores:
    from scales_cli.imaging.files import naming
    from scales_cli.video.clips import score_video
    from scales_cli.video.run import open_reader

    with naming(name), open_reader(name) as reader:
        return score_video(upscaler, Path(name).name, reader)


def identity(upscaler: Upscaler) -> dict[str, Any]:
    """What is scored, for JSON."""
    return {"model": upscaler.name} | ({} if upscaler.ensemble == 1 else {"ensemble": upscaler.ensemble})


def label(upscaler: Upscaler) -> str:
    """What is scored, for tables."""
    return upscaler.name if upscaler.ensemble == 1 else f"{upscaler.name}, ensemble {upscaler.ensemble}"


def open_model(model: str | None, scale: int, threads: int | None, ensemble: int, *, quiet: bool) -> Upscaler:
    """A packed model in the native engine, or a training run's folder, of any convolution, in torch."""
    if model is None or not is_run(model):
        from scales_cli.cli.console import downloading
        from scales_cli.pipeline.upscalers import Upscalers
        from scales_cli.weights.family import resolve

        family = resolve(model)
        family.pull(scale, downloading(quiet))
        return Upscalers(family, threads, ensemble=ensemble)[scale]
    require("torch", "train", "training needs torch")
    from scales_cli.training.run import load_run

    return load_run(Path(model), scale, threads, ensemble=ensemble)


def is_run(name: str) -> bool:
    """Whether `-m` was given a run's folder. One that holds no run is not in the way of a model of its name."""
    from scales_cli.errors import WeightsError
    from scales_cli.weights.family import resolve

    folder = Path(name)
    if not folder.is_dir() or any(folder.glob("weights-*")):
        return folder.is_dir()
    try:
        resolve(name)
    except WeightsError:  # which the run's own says better
        return True
    return False
