"""Which input becomes which output, decided for all of them before any work is done."""

from __future__ import annotations

import dataclasses
import functools
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scales_cli.engine.tiling import Tiling
from scales_cli.errors import InputError, OutputError, OutputExistsError, ScalesError, UsageError
from scales_cli.imaging.decoding import Header
from scales_cli.imaging.files import naming, probe_image, spool
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS, ImageFormat, format_for
from scales_cli.imaging.options import DEFAULTS, OutputOptions
from scales_cli.pipeline.sizing import Sizing

STREAM = "-"


@dataclass(frozen=True)
class Job:
    """One picture to enlarge. `name` is the input as the user gave it; `target` None stands for standard output.

    `scale` is that of the network, `size` (width, height) that of the result; `frames` are more than one of an
    animation that is to be enlarged whole.
    """

    name: str
    source: Path | BinaryIO
    header: Header
    scale: int
    size: tuple[int, int]
    target: Path | None
    format: ImageFormat
    frames: int = 1
    overwrite: bool = False
    options: OutputOptions = DEFAULTS
    tiling: Tiling | None = None  # None leaves it to the engine


@dataclass(frozen=True)
class Failure:
    """An input that could not be enlarged, and why."""

    name: str
    error: ScalesError


@dataclass(frozen=True)
class Plan:
    jobs: tuple[Job, ...]
    failures: tuple[Failure, ...]


def plan_jobs(
    inputs: Sequence[str],
    output: str | None,
    sizing: Sizing | float,
    *,
    overwrite: bool = False,
    max_pixels: int = MAX_OUTPUT_PIXELS,
    options: OutputOptions = DEFAULTS,
) -> Plan:
    """Reads every header. Unreadable inputs become failures; a doubtful output is an error for the whole run.

    `max_pixels` limits the outputs.
    """
    _check_arguments(inputs, output)
    sizing = sizing if isinstance(sizing, Sizing) else Sizing(sizing)
    jobs, failures = [], []
    for name in inputs:
        try:
            source, header = _open_source(name, max_pixels)
            _check_result(name, header, sizing, max_pixels)
            job = _plan_job(name, source, header, output, sizing, options, several=len(inputs) > 1)
            jobs.append(dataclasses.replace(job, overwrite=overwrite))
        except InputError as error:
            failures.append(Failure(name, error))
    _check_targets(jobs, inputs, overwrite)
    return Plan(tuple(jobs), tuple(failures))


def _check_arguments(inputs: Sequence[str], output: str | None) -> None:
    if not inputs:
        raise UsageError("no input given", "give picture files or -")
    if "" in inputs:
        raise UsageError("an input's name is empty", "give picture files or -")
    if output == "":
        raise UsageError("the output's name is empty", "give a file, a folder or -")
    if inputs.count(STREAM) > 1:
        raise UsageError("standard input is given more than once", "give - once")
    if len(inputs) > 1 and output == STREAM:
        raise UsageError("several pictures cannot go to standard output", "give a folder to -o")
    if len(inputs) > 1 and output is not None and not _is_folder(output) and _names_picture(output):
        raise UsageError(f"several pictures cannot go to the one file {output}", "give a folder to -o")


def _open_source(name: str, max_pixels: int) -> tuple[Path | BinaryIO, Header]:
    """An input and its header. Standard input goes to a file without a name: a picture is not read in one pass."""
    if name != STREAM:
        return Path(name), probe_image(Path(name), max_pixels=max_pixels)
    with naming("standard input"):
        if sys.stdin is None:
            raise InputError("it is closed", "pipe a picture into it")
        source = spool(sys.stdin.buffer)
        return source, probe_image(source, max_pixels=max_pixels)


def _check_result(name: str, header: Header, sizing: Sizing, max_pixels: int) -> None:
    with naming(name):
        width, height = sizing.result(header.width, header.height)
    if width * height > max_pixels:
        raise InputError(
            f"{name}: the result would have {width} x {height} pixels, more than the {max_pixels} allowed",
            "raise --max-pixels, or shrink the picture first",
        )


def _plan_job(
    name: str,
    source: Path | BinaryIO,
    header: Header,
    output: str | None,
    sizing: Sizing,
    options: OutputOptions,
    *,
    several: bool,
) -> Job:
    size = sizing.result(header.width, header.height)
    frames = header.frames if options.all_frames else 1
    target, image_format = None, _automatic_format(header, size, options)
    if output != STREAM and not (output is None and name == STREAM and not several):
        path = source if isinstance(source, Path) else Path("stdin")
        target, image_format = _target(path, header, output, size, sizing.label, options, several=several)
    scale = sizing.network_scale(header.width, header.height)
    if frames > 1 and not image_format.animation:
        raise OutputError(f"{name}: {image_format.name} holds no animation", "choose WebP or PNG, or --frames first")
    return Job(name, source, header, scale, size, target, image_format, frames, options=options)


def _target(
    source: Path,
    header: Header,
    output: str | None,
    size: tuple[int, int],
    label: str,
    options: OutputOptions,
    *,
    several: bool,
) -> tuple[Path, ImageFormat]:
    """The output file and its format: a file the user names, or a name of our own in a folder."""
    if output is not None and not several and not _is_folder(output):
        target = Path(output)
        image_format = format_for(target)
        if options.format not in (None, image_format):
            raise UsageError(f"{target} is a name for {image_format.name}", f"it cannot be {options.format.name}")
        image_format.check_size(*size, header.layout.channels)
        if target.suffix.lower() == ".pgm" and not header.is_grey:
            raise OutputError(f"{target}: PGM holds no colour", "choose .ppm or .png")
        return target, image_format
    folder = source.parent if output is None else Path(output)
    image_format = _automatic_format(header, size, options)
    suffix = source.suffix if source.suffix.lower() in image_format.extensions else image_format.extensions[0]
    if image_format is ImageFormat.PPM and suffix.lower() == ".pgm" and not header.is_grey:
        suffix = ".ppm"
    name = f"_{label}{suffix}"
    room = 255 - len(os.fsencode(name))  # what file systems allow
    return folder / (_shortened(source.stem, room) + name), image_format


def _automatic_format(header: Header, size: tuple[int, int], options: OutputOptions) -> ImageFormat:
    """The format that is asked for, or the input's where it can hold the result, else PNG."""
    if options.format is not None:
        options.format.check_size(*size, header.layout.channels)
        return options.format
    if options.all_frames and header.frames > 1 and not (header.format.animation and header.format.writable):
        return ImageFormat.WEBP if ImageFormat.WEBP.can_hold(*size) else ImageFormat.PNG
    transparent = header.has_alpha and options.background is None
    fits = header.format.can_hold(*size, header.layout.channels) and (header.format.alpha or not transparent)
    return header.format if fits else ImageFormat.PNG


def _shortened(stem: str, room: int) -> str:
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _names_picture(output: str) -> bool:
    suffix = Path(output).suffix.lower()
    return any(suffix in item.extensions for item in ImageFormat)


def _check_targets(jobs: Sequence[Job], inputs: Sequence[str], overwrite: bool) -> None:
    """Clashes, outputs that are inputs, existing files and missing folders."""
    targets = [(job.name, job.target) for job in jobs if job.target is not None]
    check_clashes(targets, [name for name in inputs if name != STREAM])
    for _, target in targets:
        _check_target(target, overwrite)


def check_clashes(targets: Iterable[tuple[str, Path]], inputs: Iterable[str | Path]) -> None:
    """Raises `OutputError` where two inputs share an output or an output is an input, through links too.

    `targets` are the inputs' names with their outputs.
    """
    real = functools.cache(os.path.realpath)
    planned: dict[str, str] = {}
    files = {_identity(path): path for path in inputs}
    for name, target in targets:
        key = os.path.normcase(Path(real(target.parent), target.name))
        if sys.platform == "darwin":
            key = key.casefold()
        if key in planned:
            raise OutputError(
                f"{planned[key]} and {name} would both be written to {target}",
                "give one of them in a run of its own, with another -o",
            )
        planned[key] = name
        identity = _identity(target)
        if identity is not None and identity in files:
            raise OutputError(f"{name}: its output {target} is the input {files[identity]}", "choose another name")


def _identity(path: str | Path) -> tuple[int, int] | None:
    """The same for all names of one file, through links and whatever case the file system ignores."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _check_target(target: Path, overwrite: bool) -> None:
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{target}: cannot be written: {reason}", "choose another output") from error
    if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OutputError(f"{target}: exists and is not a file", "choose another output")
    if mode is not None and not overwrite:
        raise OutputExistsError(target)
    folder = target.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{target}: the folder {folder} cannot be written to", "choose another output with -o")
