"""Where results go: their files' names and formats, and what speaks against writing there."""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from scales_cli.errors import OutputError, OutputExistsError, UsageError
from scales_cli.imaging.decoding import Header
from scales_cli.imaging.file_names import NameTemplate
from scales_cli.imaging.formats import ImageFormat, format_for
from scales_cli.imaging.output_options import OutputOptions
from scales_cli.system.files import file_identity


def name_target(
    source: Path,
    header: Header,
    output: str | None,
    size: tuple[int, int],
    label: str,
    options: OutputOptions,
    *,
    model: str,
    several: bool,
) -> tuple[Path, ImageFormat]:
    """The output file and its format: a file the user names, or a name of our own in a folder.

    Such a name holds the `label` of the size, as x4, unless there is a template for it.
    """
    if output is not None and not several and not is_folder(output):
        check_no_template(options)
        target = Path(output)
        image_format = format_for(target) if options.format is None or names_picture(output) else options.format
        if options.format not in (None, image_format):
            raise UsageError(f"{target} is a name for {image_format.name}", f"it cannot be {options.format.name}")
        image_format.check_size(*size, header.layout.channels)
        if target.suffix.lower() == ".pgm" and not header.is_grey:
            raise OutputError(f"{target}: PGM holds no colour", "choose .ppm or .png")
        return target, image_format
    folder = source.parent if output is None else Path(output)
    image_format = automatic_format(header, size, options)
    suffix = source.suffix if source.suffix.lower() in image_format.extensions else image_format.extensions[0]
    if image_format is ImageFormat.PPM and suffix.lower() == ".pgm" and not header.is_grey:
        suffix = ".ppm"
    template = options.name or NameTemplate(f"{{stem}}_{label}{{ext}}")
    return folder / template.name(source.name, label.removeprefix("x"), model, suffix), image_format


def check_no_template(options: OutputOptions) -> None:
    """Raises `UsageError` for a template of names; called if the output has one already, or needs none."""
    if options.name is not None:
        raise UsageError("a template of names needs a folder to write to", "give one to -o")


def automatic_format(header: Header, size: tuple[int, int], options: OutputOptions) -> ImageFormat:
    """The format that is asked for, or the input's if it can hold the result, else PNG."""
    if options.format is not None:
        options.format.check_size(*size, header.layout.channels)
        return options.format
    if options.all_frames and header.frames > 1 and not (header.format.animation and header.format.writable):
        return ImageFormat.WEBP if ImageFormat.WEBP.can_hold(*size) else ImageFormat.PNG
    transparent = header.has_alpha and options.background is None
    fits = header.format.can_hold(*size, header.layout.channels) and (header.format.alpha or not transparent)
    return header.format if fits else ImageFormat.PNG


def is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def names_picture(output: str) -> bool:
    suffix = Path(output).suffix.lower()
    return any(suffix in item.extensions for item in ImageFormat)


def check_clashes(targets: Iterable[tuple[str, Path]], inputs: Iterable[str | Path]) -> None:
    """Raises `OutputError` if two inputs share an output or an output is an input, through links too.

    `targets` are the inputs' names with their outputs.
    """
    real = functools.cache(os.path.realpath)
    planned: dict[str, str] = {}
    files = {file_identity(path): path for path in inputs}
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
        identity = file_identity(target)
        if identity is not None and identity in files:
            raise OutputError(f"{name}: its output {target} is the input {files[identity]}", "choose another name")


def check_target(target: Path, overwrite: bool) -> None:
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
