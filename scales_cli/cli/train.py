"""`scales train`: flags to `TrainConfig`."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
import re
import signal
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from scales_cli.cli.console import say, saying_warnings
from scales_cli.cli.run_monitor import Display, describe, stopping_on_signals
from scales_cli.config import SIZES, TrainConfig
from scales_cli.errors import ScalesError, UsageError


def train(
    data: Annotated[Path, typer.Option(help="Folder of pictures to train on.")],
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log and packed model.")],
    scale: Annotated[int | None, typer.Option("--scale", "-s", help="2, 3 or 4; default 4.")] = None,
    size: Annotated[str | None, typer.Option(help=f"Network size: {', '.join(SIZES)}; default tiny.")] = None,
    valid: Annotated[
        Path | None, typer.Option(help="Folder for validation; default: some of --data, held out.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings; default: the recipe of --size.")] = None,
    init: Annotated[Path | None, typer.Option(help="Start from another run or a packed model, of any scale.")] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Distil from another run or a packed model of the same scale.")
    ] = None,
    teacher_pictures: Annotated[
        Path | None, typer.Option(help="Learn from another network's pictures of --data, of the same names and sizes.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    max_time: Annotated[
        str | None, typer.Option(help="Stop after this time, as 90s, 9m or 2h; --resume goes on.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the schedule.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or another of torch's.")] = "auto",
    seed: Annotated[int | None, typer.Option(help="Seed of weights and patches.")] = None,
) -> None:
    """Train a 1-bit network on a folder of pictures."""
    settings = read_config(config, scale=scale, size=size, steps=steps, seed=seed)
    seconds = parse_duration(max_time) if max_time else math.inf
    check_torch()
    from scales_cli.training.distributed import joined
    from scales_cli.training.run import export_run, open_run

    with saying_warnings(), joined() as processes:
        trainer = open_run(
            settings,
            data,
            valid,
            out,
            init=init,
            teacher=teacher,
            teacher_pictures=teacher_pictures,
            resume=resume,
            device=device,
            processes=processes,
        )
        with stopping_on_signals(trainer) as received, Display(settings.steps, visible=processes.lead) as display:
            trainer.run(display.show, max_seconds=seconds)
    if not processes.lead:
        os._exit(0)  # one in ten is aborted by threads of gloo's if it takes its time to end (torch 2.13)
    path, done = export_run(trainer), trainer.progress
    state = "finished" if done.step >= settings.steps else "stopped, --resume goes on"
    say(f"{done.step} steps in {done.seconds:.0f} s, validation {describe(done.valid_psnr)}: {state}")
    typer.echo(path)
    if received:
        signal.raise_signal(received[0])


def read_config(
    path: Path | None, *, scale: int | None, size: str | None, steps: int | None, seed: int | None
) -> TrainConfig:
    """A TOML file's settings, by default the recipe of the size, with the flags laid over them."""
    if size is not None and size not in SIZES:
        raise UsageError(f"unknown size {size!r}", f"known are {', '.join(SIZES)}")
    try:
        settings = TrainConfig.from_dict(tomllib.loads((path or recipe(size)).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable TOML file ({error})", "see the README's training section") from error
    spec = settings.network
    if scale is not None:
        spec = dataclasses.replace(spec, scale=scale)
    if size is not None:
        spec = dataclasses.replace(spec, **SIZES[size])
    return dataclasses.replace(
        settings,
        network=spec,
        steps=settings.steps if steps is None else steps,
        seed=settings.seed if seed is None else seed,
    )


def recipe(size: str | None) -> Traversable:
    """The package's settings for a size; those of tiny where none is given."""
    return resources.files("scales_cli.training").joinpath("recipes", f"{size or 'tiny'}.toml")


def parse_duration(text: str) -> float:
    """Seconds of "90s", "9m", "1.5h" or "90"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise UsageError(f"{text!r} is not a time", "write it as 90s, 9m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def check_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        raise ScalesError("training needs torch", 'install it with: pip install "scales-cli[train]"')
