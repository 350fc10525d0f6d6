"""Which input becomes which output, decided for all of them before any work is done."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from scales_cli.engine.tiling import Tiling
from scales_cli.errors import InputError, OutputError, PixelLimitError, UsageError
from scales_cli.imaging.decoding import Header
from scales_cli.imaging.files import naming, probe_image, spool
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.output_options import DEFAULTS, OutputOptions
from scales_cli.pipeline.crop import Crop
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.outcome import Failed
from scales_cli.pipeline.sizing import Sizing
from scales_cli.pipeline.source import Source, probe
from scales_cli.pipeline.targets import (
    automatic_format,
    check_clashes,
    check_no_template,
    check_target,
    is_folder,
    name_target,
    name_template,
    names_picture,
)
from scales_cli.storage.address import Address
from scales_cli.storage.locations import Location, locate

STREAM = "-"


@dataclass(frozen=True)
class Allowance:
    """Memory that a job may take: `free` bytes of the `limit` of this process. `tile` is a side that is asked for."""

    limit: int
    free: int
    tile: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to enlarge. `name` is the input as the user gave it; `target` None stands for standard output.

    `scale` is that of the network, `size` (width, height) that of the result; `frames` are more than one of an
    animation that is to be enlarged whole. `denoise` in [0, 1] says how much is to be mended; None leaves it to what
    the picture shows. Of a `crop` of the result nothing else is written.
    """

    name: str
    source: Source
    header: Header
    scale: int
    size: tuple[int, int]
    target: Location | None
    format: ImageFormat
    frames: int = 1
    overwrite: bool = False
    options: OutputOptions = DEFAULTS
    denoise: float | None = None
    allowance: Allowance | None = None  # None is all that there is
    tiling: Tiling | None = None  # None leaves it to the engine
    crop: Crop | None = None

    @classmethod
    def of(
        cls,
        enlargement: Enlargement,
        name: str,
        source: Source,
        header: Header,
        target: Location | None,
        image_format: ImageFormat,
        overwrite: bool,
    ) -> Self:
        """The job of a picture whose header is read."""
        sizing, options = enlargement.sizing, enlargement.output
        return cls(
            name,
            source,
            header,
            sizing.network_scale(header.width, header.height),
            sizing.result(header.width, header.height),
            target,
            image_format,
            header.frames if options.all_frames else 1,
            overwrite,
            options,
            enlargement.denoise,
        )


@dataclass(frozen=True)
class Plan:
    jobs: tuple[Job, ...]
    failures: tuple[Failed, ...]


def plan_jobs(
    inputs: Sequence[str],
    output: str | None,
    enlargement: Enlargement,
    *,
    overwrite: bool = False,
) -> Plan:
    """Reads every header. Unreadable inputs become failures; a doubtful output is an error for the whole run."""
    check_arguments(inputs, output)
    jobs, failures, several = [], [], len(inputs) > 1
    for name in inputs:
        try:
            jobs.append(plan_job(name, output, enlargement, several=several, overwrite=overwrite))
        except InputError as error:
            failures.append(Failed(name, error))
    targets = [(job.name, job.target) for job in jobs if job.target is not None]
    template = name_template(enlargement.sizing.label, enlargement.output)
    check_clashes(targets, [name for name in inputs if name != STREAM], template)
    for _, target in targets:
        check_target(target, overwrite)
    return Plan(tuple(jobs), tuple(failures))


def plan_job(
    name: str,
    output: str | None,
    enlargement: Enlargement,
    *,
    several: bool = False,
    overwrite: bool = False,
    source: BinaryIO | None = None,
) -> Job:
    """The job of one input, whose header is read. If there are `several`, `output` is a folder, whatever its name.

    `source` is the input's open, seekable file, if it is none that is opened by its `name`.

    Raises `InputError` if the input cannot be read or enlarged, `OutputError` if the result cannot be held there.
    """
    sizing, options, most = enlargement.sizing, enlargement.output, enlargement.max_pixels
    opened, header = _open_source(name, most) if source is None else _probe(name, source, most)
    if isinstance(opened, Address):
        name = str(opened)  # which does not hold a key
    _check_result(name, header, sizing, most)
    size = sizing.result(header.width, header.height)
    target, image_format = None, automatic_format(header, size, options)
    if output != STREAM and not (output is None and name == STREAM and not several):
        path = opened if isinstance(opened, Path | Address) else Path("stdin")
        target, image_format = name_target(
            path, header, output, size, sizing.label, options, model=enlargement.family.name, several=several
        )
    else:
        check_no_template(options)
    check_times(options, opened, target)
    options.check_loss(image_format)
    job = Job.of(enlargement, name, opened, header, target, image_format, overwrite)
    if job.frames > 1 and not image_format.animation:
        raise OutputError(f"{name}: {image_format.name} holds no animation", "choose WebP or PNG, or --frames first")
    return job


def check_arguments(inputs: Sequence[str], output: str | None) -> None:
    """Raises `UsageError` for inputs and an output that cannot be meant together, whatever there is on the disk."""
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
    if len(inputs) > 1 and output is not None and not is_folder(output) and names_picture(output):
        raise UsageError(f"several pictures cannot go to the one file {output}", "give a folder to -o")


def check_times(options: OutputOptions, *places: object) -> None:
    """Raises `UsageError` if times are to be kept, and one of the places of inputs and outputs is no file's."""
    if options.keep_times and not all(isinstance(place, Path) for place in places):
        raise UsageError("times can be kept from file to file only", "leave out --keep-times")


def _open_source(name: str, max_pixels: int) -> tuple[Source, Header]:
    """An input and its header. Standard input goes to a file without a name: a picture is not read in one pass."""
    if name != STREAM:
        location = locate(name)
        return location, probe(location, max_pixels)
    with naming("standard input"):
        if sys.stdin is None:
            raise InputError("it is closed", "pipe a picture into it")
        return _probe("standard input", spool(sys.stdin.buffer), max_pixels)


def _probe(name: str, source: BinaryIO, max_pixels: int) -> tuple[Source, Header]:
    with naming(name):
        return source, probe_image(source, max_pixels=max_pixels)


def _check_result(name: str, header: Header, sizing: Sizing, max_pixels: int) -> None:
    with naming(name):
        width, height = sizing.result(header.width, header.height)
    if width * height > max_pixels:
        raise PixelLimitError(
            f"{name}: the result would have {width} x {height} pixels, more than the {max_pixels} allowed",
            "raise --max-pixels, or shrink the picture first",
        )
