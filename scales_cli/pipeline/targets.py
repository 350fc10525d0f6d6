"""Where results go: their files' names and formats, and what speaks against writing there."""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from scales_cli.errors import OutputError, OutputExistsError, UsageError, hint_of
from scales_cli.imaging.decoding import Header
from scales_cli.imaging.file_names import NameTemplate
from scales_cli.imaging.formats import ImageFormat, format_for
from scales_cli.imaging.output_options import OutputOptions
from scales_cli.storage import locations
from scales_cli.storage.address import WEB, Address
from scales_cli.storage.locations import Location, locate
from scales_cli.system.files import file_identity, unwritable_above

_MOST_NAMED = 20  # of clashes


def name_target(
    source: Location,
    header: Header,
    output: str | None,
    size: tuple[int, int],
    label: str,
    options: OutputOptions,
    *,
    model: str,
    several: bool,
) -> tuple[Location, ImageFormat]:
    """The output file and its format: a file the user names, or a name of our own in a folder.

    Such a name holds the `label` of the size, as x4, unless there is a template for it.
    """
    if output is not None and not several and not is_folder(output):
        check_no_template(options)
        target = locate(output)
        image_format = format_for(target) if options.format is None or names_picture(output) else options.format
        if options.format not in (None, image_format):
            raise UsageError(f"{target} is a name for {image_format.name}", f"it cannot be {options.format.name}")
        image_format.check_size(*size, header.layout.channels)
        if target.suffix.lower() == ".pgm" and not header.is_grey:
            raise OutputError(f"{target}: PGM holds no colour", "choose .ppm or .png")
        return target, image_format
    folder = source.parent if output is None else locate(output)
    if output is None and isinstance(source, Address) and source.scheme in WEB:
        raise UsageError("results cannot be put on the web", "give a file or a folder to -o")
    image_format = automatic_format(header, size, options)
    suffix = source.suffix if source.suffix.lower() in image_format.extensions else image_format.extensions[0]
    if image_format is ImageFormat.PPM and suffix.lower() == ".pgm" and not header.is_grey:
        suffix = ".ppm"
    return folder / automatic_name(source.name, label, options, model, suffix), image_format


def automatic_name(source: str, label: str, options: OutputOptions, model: str, suffix: str) -> str:
    """The name of a result, up to its `suffix`, which alone depends on what is in the file."""
    return name_template(label, options).name(source, label.removeprefix("x"), model, suffix)


def name_template(label: str, options: OutputOptions) -> NameTemplate:
    """That of names of results: the user's, or one that holds the `label` of the size."""
    return options.name or _automatic_template(label)


@functools.cache
def _automatic_template(label: str) -> NameTemplate:
    return NameTemplate(f"{{stem}}_{label}{{ext}}")


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
    if output.endswith(("/", os.sep)):
        return True
    try:
        return locations.is_folder(locate(output))
    except OSError as error:
        raise _refused(output, error) from error


def names_picture(output: str) -> bool:
    suffix = Path(output).suffix.lower()
    return any(suffix in item.extensions for item in ImageFormat)


class Claims:
    """Which input each output is for. Names of one file are one output: through links, and cases that do not count."""

    def __init__(self, inputs: Iterable[str | Location]) -> None:
        self._inputs = {_identity(locate(path) if isinstance(path, str) else path): path for path in inputs}
        self._claimed: dict[str, str] = {}
        self._real = functools.cache(os.path.realpath)

    def claim(self, name: str, target: Location) -> str | None:
        """The input that the output is for already, else None, and it is for the one of this `name` from now on.

        Raises `OutputError` if it is one of the inputs.
        """
        key = self._key(target)
        if key in self._claimed:
            return self._claimed[key]
        self._claimed[key] = name
        if (taken := self.input_at(target)) is not None:
            raise OutputError(f"{name}: its output {target} is the input {taken}", "choose another name")
        return None

    def input_at(self, location: Location) -> str | Location | None:
        """The input that is this very file."""
        identity = _identity(location)
        return None if identity is None else self._inputs.get(identity)

    def _key(self, target: Location) -> str:
        if isinstance(target, Address):
            return str(target)
        folder, name = os.path.split(target)
        return _key(f"{self._real(folder or '.')}{os.sep}{name}")


Clash = tuple[str, str, Location]  # two inputs and the one output


def clash_error(clashes: Sequence[Clash], hint: str, template: NameTemplate | None = None) -> OutputError:
    """What is wrong with inputs of one output each: names some of them, and what helps, `hint` at the end.

    `template` is that of their names, by which inputs of different extensions can be told apart.
    """
    first, second, target = clashes[0]
    if first == second:
        return OutputError(f"{first} is given twice", "give it once")
    message = f"{first} and {second} would both be written to {target}"
    message += "".join(f"; {other} and {name} to {path}" for other, name, path in clashes[1:_MOST_NAMED])
    if len(clashes) > _MOST_NAMED:
        message += f"; and {len(clashes) - _MOST_NAMED} more"
    if template is not None and "{from}" not in template.text and Path(first).suffix != Path(second).suffix:
        hint = f"tell them apart by --name '{{stem}}-{{from}}{{ext}}', say, or {hint}"
    return OutputError(message, hint)


def check_clashes(
    targets: Iterable[tuple[str, Location]],
    inputs: Iterable[str | Location],
    template: NameTemplate | None = None,
) -> None:
    """Raises `OutputError` if two inputs share an output or an output is an input.

    `targets` are the inputs' names with their outputs, `template` is as of `clash_error`.
    """
    claims, clashes = Claims(inputs), []
    for name, target in targets:
        if (other := claims.claim(name, target)) is not None:
            clashes.append((other, name, target))
    if clashes:
        raise clash_error(clashes, "give each an output of its own", template)


def _key(path: str) -> str:
    """What names that the file system takes for the same have in common."""
    key = os.path.normcase(path)
    return key.casefold() if sys.platform == "darwin" else key


def _identity(location: Location) -> object:
    """What all names of a file share; None if there is none."""
    return file_identity(location) if isinstance(location, Path) else location


def check_target(target: Location, overwrite: bool) -> None:
    """Raises `OutputError` if nothing can be written there, or if there is a file that is not to be replaced."""
    if isinstance(target, Address):
        _check_address(target, overwrite)
    else:
        _check_file(target, overwrite)


def _check_address(target: Address, overwrite: bool) -> None:
    _check_no_web(target)
    if overwrite:  # whatever is there
        check_bucket(target)
        return
    try:
        found = locations.is_there(target)
        if not found:
            check_bucket(target)
    except PermissionError:  # to look, which those who may write need not have
        return
    except OSError as error:
        raise _refused(target, error) from error
    if found:
        raise OutputExistsError(target)


def check_bucket(target: Address) -> None:
    """Raises `OutputError` if there is no such bucket. Those that may not look are believed."""
    _check_no_web(target)
    try:
        if target.scheme != "memory" and not locations.is_there(target.bucket):
            raise OutputError(f"{target}: there is no bucket {target.bucket}", "make it, or choose another output")
    except PermissionError:
        return
    except OSError as error:
        raise _refused(target, error) from error


def _check_no_web(target: Address) -> None:
    if target.scheme in WEB:
        raise OutputError(f"{target}: the web is only read", "choose a storage that can be written to")


def _refused(target: object, error: OSError) -> OutputError:
    return OutputError(
        f"{target}: cannot be written: {error.strerror or error}", hint_of(error, "choose another output")
    )


def _check_file(target: Path, overwrite: bool) -> None:
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
    if (folder := unwritable_above(target.parent)) is not None:
        raise OutputError(f"{target}: the folder {folder} cannot be written to", "choose another output with -o")
