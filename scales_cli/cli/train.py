"""`scales train`: flags to `TrainConfig`."""

from __future__ import annotations

import dataclasses
import math
import re
import signal
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import scales_cli.cli.options as opt
from scales_cli.backbones.table import SIZES
from scales_cli.cli.console import LeaveNow, print_json, print_path, say, saying_warnings
from scales_cli.cli.train_view import Display, describe
from scales_cli.errors import UsageError
from scales_cli.system.extras import require
from scales_cli.system.files import read_small_text
from scales_cli.training.config import TrainConfig

if TYPE_CHECKING:
    from scales_cli.training.trainer import Trainer

PICTURES, TRAINING = "Pictures", "Training"

Device = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        show_default=False,
        rich_help_panel=TRAINING,
        help="cpu, cuda or another of torch's. Default: cuda if there is one.",
    ),
]


def train(
    data: Annotated[Path, typer.Option(metavar="DIR", rich_help_panel=PICTURES, help="Pictures to train on.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            rich_help_panel=opt.OUTPUT,
            help="Folder of the run: checkpoints, log and packed model.",
        ),
    ],
    valid: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=PICTURES, help="Pictures to validate on. Default: some of --data, held out."
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            "-s",
            "--scale",
            metavar="2|3|4",
            autocompletion=opt.suggesting("2", "3", "4"),
            rich_help_panel=opt.SIZE,
            help="Times that each side grows. Default: 4.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=opt.suggesting(*SIZES),
            rich_help_panel=opt.SIZE,
            help=f"{', '.join(SIZES)}. Default: tiny.",
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=TRAINING, help="TOML file of settings. Default: the recipe of --size."
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN|FILE", rich_help_panel=TRAINING, help="Start from another run or a packed model, of any scale."
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN|FILE", rich_help_panel=TRAINING, help="Learn from a run or a packed model of the same scale."
        ),
    ] = None,
    teacher_pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=TRAINING,
            help="Learn from another network's pictures of --data, named alike.",
        ),
    ] = None,
    resume: Annotated[bool, opt.flag("--resume", panel=opt.OUTPUT, help="Go on with the run in -o.")] = False,
    steps: Annotated[
        int | None, typer.Option(metavar="N", rich_help_panel=TRAINING, help="Length of the schedule.")
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", rich_help_panel=TRAINING, help="Stop after this time, as 90s, 9m or 2h; --resume goes on."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", rich_help_panel=TRAINING, help="Seed of weights and patches.")
    ] = None,
    device: Device = "auto",
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Train a 1-bit network on a folder of pictures.

    $ scales train --data photos/ -o run -s 2           # a tiny model that doubles
    $ scales train --data photos/ -o run -s 2 --resume  # after an interruption
    """
    settings = read_config(recipe, scale=scale, size=size, steps=steps, seed=seed)
    seconds = parse_duration(max_time) if max_time else math.inf
    require("torch", "train", "training needs torch")
    from scales_cli.training.distributed import joined
    from scales_cli.training.run import export_run, open_run

    with saying_warnings(), joined() as processes:
        trainer = open_run(
            settings,
            data,
            valid,
            output,
            init=init,
            teacher=teacher,
            teacher_pictures=teacher_pictures,
            resume=resume,
            device=device,
            processes=processes,
        )
        with (
            stopping_on_signals(trainer) as received,
            Display(settings.steps, visible=processes.lead and not quiet) as display,
        ):
            trainer.run(display.show, max_seconds=seconds, compiling=display.compiling)
    if not processes.lead:
        raise LeaveNow  # one in ten is aborted by threads of gloo's if it takes its time to end (torch 2.13)
    path, done = export_run(trainer), trainer.progress
    finished = done.step >= settings.steps
    if as_json:
        values = {"steps": done.step, "seconds": done.seconds, "valid_psnr": done.valid_psnr, "finished": finished}
        print_json({"output": str(path)} | values)
    elif not quiet:
        state = "finished" if finished else "stopped, --resume goes on"
        steps_done = "1 step" if done.step == 1 else f"{done.step} steps"
        say(f"{steps_done} in {done.seconds:.0f} s, validation {describe(done.valid_psnr)}: {state}")
        print_path(str(path))
    if received:
        signal.raise_signal(received[0])


def read_config(
    path: Path | None, *, scale: int | None, size: str | None, steps: int | None, seed: int | None
) -> TrainConfig:
    """A TOML file's settings, by default the recipe of the size, with the flags laid over them."""
    if size is not None and size not in SIZES:
        raise UsageError(f"unknown size {size!r}", f"known are {', '.join(SIZES)}")
    try:
        settings = TrainConfig.from_dict(
            tomllib.loads(read_small_text(path) if path else shipped_recipe(size).read_text("utf-8"))
        )
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a readable TOML file ({error})", "see scales_cli/training/README.md") from error
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


def shipped_recipe(size: str | None) -> Traversable:
    """The package's settings for a size; of tiny if none is given."""
    return resources.files("scales_cli.training").joinpath("recipes", f"{size or 'tiny'}.toml")


def parse_duration(text: str) -> float:
    """Seconds of "90s", "9m", "1.5h" or "90"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise UsageError(f"{text!r} is not a time", "write it as 90s, 9m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


@contextmanager
def stopping_on_signals(trainer: Trainer) -> Iterator[list[int]]:
    """The first Ctrl-C, SIGTERM or SIGHUP ends the run after the present step, with a checkpoint; a second one at once.

    Of a terminal that is closed, the shell and the system may tell both.
    """
    received: list[int] = []
    hangup = getattr(signal, "SIGHUP", None)

    def stop(number: int, frame: object) -> None:
        if not received:
            received.append(number)
            trainer.stopping = True
        elif number != hangup:
            raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, hangup)
    heard = [number for number in numbers if number and signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, stop) for number in heard}  # what a shell ignores stays so
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
