"""Which pictures a batch is about, and where each belongs in the output's tree."""

from __future__ import annotations

import glob
import os
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch, fnmatchcase
from pathlib import Path, PurePath, PurePosixPath

from scales_cli.batch.record import Origin
from scales_cli.errors import InputError, ScalesError, UsageError, hint_of
from scales_cli.imaging.formats import is_picture_name, is_unread_picture_name
from scales_cli.storage import objects
from scales_cli.storage.address import Address
from scales_cli.storage.locations import Location, locate
from scales_cli.storage.objects import FileStatus
from scales_cli.system.files import file_identity

# Folders that a system fills by itself, with thumbnails, deleted files or earlier versions; in lower case.
_SYSTEM_FOLDERS = frozenset(
    {
        *("@eadir", "@__thumb", "__macosx", "#recycle", "@recycle", "$recycle.bin", "#snapshot"),
        *("@recently-snapshot", "lost+found", "system volume information", "ipod photo cache", "_vti_cnf", "@tmp"),
    }
)

Pattern = tuple[str, ...]  # a part for each folder, and for the file; ** is any number of folders, and no links to such
_INSIDE: Pattern = ("*",)
_BELOW: Pattern = ("**", "*")

_MOST_PATH_BYTES = 1100  # of buckets and keys, the longest of which have 1024
_MOST_FOLDERS = 200  # inside each other here: Python neither finds nor makes a thousand
_TOO_DEEP = "lies in more folders than there can be"


@dataclass(frozen=True, eq=False, slots=True)
class Item:
    """An input file. `place` is its path below the folder or pattern it was found by: in the output's tree, too.

    `status` is what a storage said of it; None leaves it to whoever wants to know.
    """

    source: Location
    place: PurePath
    status: FileStatus | None = None

    @property
    def name(self) -> str:
        """The input as it is shown."""
        return name_of(self.source)

    @property
    def above(self) -> str:
        """The place of its folder, as "2024/May/"; nothing if that is the first."""
        folder, slash, _ = self.place.as_posix().rpartition("/")
        return folder + slash

    @property
    def origin(self) -> Origin:
        source, place = self.source, self.place.as_posix()
        # A query is no part of it: it may be a signature, which is another one each time.
        name = f"{source.scheme}://{source.path}" if isinstance(source, Address) else source.absolute().as_posix()
        return Origin(sys.intern(name.removesuffix(place).rstrip("/")), place)

    @property
    def url(self) -> str:
        """What it is opened by."""
        return self.source.url if isinstance(self.source, Address) else name_of(self.source)


def name_of(source: Location) -> str:
    """An input as it is shown, and can be given again: a file "-" is not standard input."""
    name = os.fspath(source)
    return name if name != "-" else "./-"


@dataclass(frozen=True)
class Filter:
    """Patterns as of a shell for the file or a folder above it: without a slash for its name, else for its place.

    Slashes at the ends, or ./ in front, make no difference.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def includes(self, place: PurePath) -> bool:
        return not self.include or any(_matches(place, pattern) for pattern in self.include)

    def excluding(self, place: PurePath) -> list[str]:
        """The patterns by which a picture, or all that is in a folder, is left out."""
        return [pattern for pattern in self.exclude if _matches(place, pattern)]


@dataclass
class Selection:
    """What was found, in a fixed order; pictures of kinds that are not read; folders that could not be read."""

    chosen: Filter = field(default_factory=Filter)
    items: list[Item] = field(default_factory=list)
    unread: list[Item] = field(default_factory=list)
    failures: list[tuple[Location, ScalesError]] = field(default_factory=list)
    _excluding: set[str] = field(default_factory=set)

    def excludes(self, place: PurePath) -> bool:
        """Whether a picture is left out, or all that is in a folder."""
        patterns = self.chosen.excluding(place)
        self._excluding.update(patterns)
        return bool(patterns)

    @property
    def idle(self) -> list[str]:
        """The patterns that excluded nothing."""
        return [pattern for pattern in self.chosen.exclude if pattern not in self._excluding]

    def take_up(self, named: Item) -> None:
        """Has a file tried that a folder left out, as it is named itself, too."""
        for item in self.unread:
            if item.place == named.place and _real(item.source) == _real(named.source):
                self.unread.remove(item)
                self.items.append(named)
                return


def select(inputs: Sequence[str], chosen: Filter, output: Location, *, recursive: bool = True) -> Selection:
    """Files, those that match a pattern, and in folders whatever has a picture's extension.

    In folders, hidden files, links to folders, pipes and devices are left out, what `output` holds, and folders that
    a system fills by itself; folders that are excluded are not looked into. Raises `UsageError` or `InputError` if an
    argument names nothing.
    """
    selection = Selection(chosen)
    found: dict[str, list[Location]] = defaultdict(list)
    for name in inputs:
        named = locate(name)
        for item in _found(name, selection, output, recursive=recursive):
            at_its_place, is_named = found[item.place.as_posix()], item.source == named
            if selection.excludes(item.place) or not chosen.includes(item.place):
                continue
            if not (at_its_place and _real(item.source) in map(_real, at_its_place)):
                at_its_place.append(item.source)
                is_unread = is_unread_picture_name(item.place) and not is_named
                (selection.unread if is_unread else selection.items).append(item)
            elif is_named:
                selection.take_up(item)
    return selection


def _real(location: Location) -> str:
    """What all names of a file have in common."""
    return os.path.realpath(location) if isinstance(location, Path) else location.url


def _found(name: str, selection: Selection, output: Location, *, recursive: bool) -> list[Item]:
    address = Address.parse(name)
    try:
        if address is not None:
            return list(_find_elsewhere(address, selection, output, recursive=recursive))
        return list(_find(name, selection, output, recursive=recursive))
    except OSError as error:
        hint = hint_of(error, "check its path and permissions")
        raise InputError(f"{name}: cannot be read: {error.strerror}", hint) from error


def _find(name: str, selection: Selection, output: Location, *, recursive: bool) -> Iterator[Item]:
    path, left_out = Path(name), file_identity(output) if isinstance(output, Path) else None
    if name in ("", "-"):
        raise UsageError("a batch reads no standard input", "give folders, patterns or files")
    if _is_folder(path):
        _check_is_not_output(name, is_output=file_identity(path) == left_out)
        yield from _pictures(_walk(path, PurePath(), {_BELOW if recursive else _INSIDE}, selection, left_out))
    elif os.path.lexists(path):
        yield Item(path, PurePath(path.name))
    elif glob.has_magic(name):
        base, pattern = _split_pattern(path)
        _check_pattern(name, path.parts)
        _check_is_not_output(base, is_output=left_out is not None and file_identity(base) == left_out)
        failed = len(selection.failures)
        found = list(_walk(base, PurePath(), {pattern}, selection, left_out)) if base.is_dir() else []
        yield from _pictures(found)
        if len(selection.failures) == failed and all(_is_folder(Path(entry.path)) for entry, _ in found):
            raise _no_match(name, only_folders=bool(found))
    else:
        raise InputError(f"{name}: no such file or folder", "check the path")


def _pictures(found: Iterable[tuple[os.DirEntry[str], PurePath]]) -> Iterator[Item]:
    for entry, place in found:
        path = Path(entry.path)
        if _is_named_as_picture(path) and (entry.is_file(follow_symlinks=False) or _is_file(path)):
            yield Item(path, place)


def _walk(
    folder: Path, place: PurePath, patterns: Collection[Pattern], selection: Selection, left_out: int | None
) -> Iterator[tuple[os.DirEntry[str], PurePath]]:
    """What is below a folder that one of the patterns matches.

    `Path.glob` says nothing of folders that it cannot read, and each version of Python follows other links.
    """
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = InputError(f"{folder}: cannot be read: {error.strerror}", "check its permissions")
        selection.failures.append((folder, reason))
        return
    patterns = {pattern[skipped:] for pattern in patterns for skipped in range(_leading_stars(pattern) + 1)}
    for entry in inside:
        if _is_left_out(entry.name):
            continue
        matched = {
            pattern if pattern[0] == "**" else pattern[1:]
            for pattern in patterns
            if (entry.is_dir(follow_symlinks=False) if pattern[0] == "**" else fnmatch(entry.name, pattern[0]))
        }
        if () in matched:
            yield entry, place / entry.name
        if not (further := matched - {()}):
            continue
        path = folder / entry.name
        if not _is_folder(path) or selection.excludes(place / entry.name) or file_identity(path) == left_out:
            continue
        if len(place.parts) == _MOST_FOLDERS:
            selection.failures.append((path, _too_deep(path, "give a folder that is further down, too")))
            continue
        yield from _walk(path, place / entry.name, further, selection, left_out)


def _leading_stars(pattern: Pattern) -> int:
    """How many ** it begins with, each of which may stand for no folder."""
    return next(index for index, part in enumerate(pattern) if part != "**")


def _find_elsewhere(address: Address, selection: Selection, output: Location, *, recursive: bool) -> Iterator[Item]:
    """As `_find`. What is named exactly is meant, whatever signs of a pattern it holds."""
    try:
        status = objects.status_of(address)
    except FileNotFoundError:
        status = None
    if status is not None and status.is_folder:
        _check_is_not_output(address, is_output=address == output)
        yield from _walk_elsewhere(address, PurePosixPath(), selection, output, recursive=recursive)
    elif status is not None:
        yield Item(address, PurePosixPath(address.name), status)
    elif glob.has_magic(address.path):
        parts = address.path.split("/")
        wild = next(index for index, part in enumerate(parts) if glob.has_magic(part))
        if wild == 0:
            raise UsageError(f"{address}: a pattern begins with a bucket", f"name it: {address.scheme}://BUCKET/*.jpg")
        base = Address(address.scheme, "/".join(parts[:wild]))
        _check_pattern(address, parts)
        _check_is_not_output(base, is_output=base == output)
        left_out = output if _is_below(output, base) else None
        found = objects.matches_of(base, "/".join(parts[wild:]))
        matches = [(match, status) for match, status in found if not status.is_folder]
        nameless = dict.fromkeys(filter(None, (_nameless_folder(match) for match, _ in matches)))
        selection.failures += [(folder, _nameless(folder)) for folder in nameless]
        yield from (
            Item(match, place, status)
            for match, status in matches
            if _is_named_as_picture(place := match.relative_to(base))
            and not any(_is_left_out(part) for part in place.parts)
            and not _is_below(match, left_out)
            and _nameless_folder(match) is None
        )
        if not matches:
            raise _no_match(address, only_folders=bool(found))
    else:
        raise InputError(f"{address}: no such file or folder", "check the address")


def _walk_elsewhere(
    folder: Address, place: PurePosixPath, selection: Selection, output: Location, *, recursive: bool
) -> Iterator[Item]:
    try:
        inside = objects.entries_of(folder)
    except OSError as error:
        reason = InputError(
            f"{folder}: cannot be read: {error.strerror}", hint_of(error, "check what you may read there")
        )
        selection.failures.append((folder, reason))
        return
    for below, status in inside:
        if _is_left_out(below.name):
            continue
        if status.is_folder:
            if not recursive or below == output or (below.name and selection.excludes(place / below.name)):
                continue
            if not below.name:
                selection.failures.append((below, _nameless(below)))
            elif len(os.fsencode(below.path)) > _MOST_PATH_BYTES:
                selection.failures.append((folder, _too_deep(folder, "ask whose storage it is")))
            else:
                yield from _walk_elsewhere(below, place / below.name, selection, output, recursive=recursive)
        elif _is_named_as_picture(PurePosixPath(below.name)):
            yield Item(below, place / below.name, status)


def _check_pattern(name: str | Address, parts: Sequence[str]) -> None:
    """Of ** beside other letters, each version of Python makes something else."""
    if any("**" in part and part != "**" for part in parts):
        raise UsageError(f"{name}: ** stands for whole folders only", "write **/*.jpg, say")


def _no_match(name: str | Address, *, only_folders: bool) -> InputError:
    if only_folders:
        return InputError(f"{name}: only folders match it", "add /*.jpg, say")
    return InputError(f"{name}: nothing matches it", "check the pattern")


def _check_is_not_output(name: str | Location, *, is_output: bool) -> None:
    """Or the next run would take the results for inputs."""
    if is_output:
        raise UsageError(f"{name} is the output folder, too", "choose another with -o")


def _too_deep(folder: Location, hint: str) -> InputError:
    return InputError(f"{os.fspath(folder)[:100]}...: {_TOO_DEEP}", hint)


def _nameless(folder: Address) -> InputError:
    return InputError(f"{folder}/: a folder without a name cannot be listed", "give the addresses of its pictures")


def _nameless_folder(address: Address) -> Address | None:
    """The one above a file, if there is any: its place below would be one of the file system's root."""
    above, slashes, _ = address.path.partition("//")
    return replace(address, path=f"{above}/") if slashes else None


def _is_below(address: Location, folder: Location | None) -> bool:
    """In a storage."""
    if not (isinstance(address, Address) and isinstance(folder, Address)):
        return False
    return address.scheme == folder.scheme and address.path.startswith(f"{folder.path}/")


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def _is_folder(path: Path) -> bool:
    """Raises `OSError` if it cannot be found out, but for a link, as one that may not be followed costs only itself."""
    try:
        return path.is_dir()
    except OSError:
        if os.path.lexists(path):
            return False
        raise


def _is_file(path: Path) -> bool:
    """A link counts that leads to nothing, or may not be followed, so that it is reported."""
    try:
        return path.is_file() or (path.is_symlink() and not path.exists())
    except OSError:
        return True


def _is_named_as_picture(path: PurePath) -> bool:
    """Also as one of a kind that is not read."""
    return is_picture_name(path) or is_unread_picture_name(path)


def _split_pattern(path: Path) -> tuple[Path, Pattern]:
    """The folders before a pattern's first wildcard, and the rest."""
    wild = next(index for index, part in enumerate(path.parts) if glob.has_magic(part))
    pattern = path.parts[wild:]
    return Path(*path.parts[:wild]), (*pattern, "*") if pattern[-1] == "**" else pattern


def _matches(place: PurePath, pattern: str) -> bool:
    pattern = pattern.removeprefix("./").strip("/")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in place.parts)
    return any(fnmatchcase(path.as_posix(), pattern) for path in (place, *place.parents))
