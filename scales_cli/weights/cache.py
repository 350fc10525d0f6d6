"""The folder of downloaded and imported models, shared by all processes of a user.

A file is named after its model and its hash, `NAME.SHA256.safetensors`: the name is the record of what has to be in it,
a new version of a model is another file, and every file appears by one move. So nothing has to be locked.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scales_cli.errors import FULL_DISK, OutputError, WeightsError
from scales_cli.system.files import abandoned_files, open_regular
from scales_cli.weights.registry import SUFFIX

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VARIABLE = "SCALES_CACHE"
_FILE = re.compile(rf"(?P<name>{NAME.pattern})\.(?P<sha256>[0-9a-f]{{64}}){re.escape(SUFFIX)}")


@dataclass(frozen=True)
class CachedModel:
    name: str
    sha256: str
    path: Path

    def check_kind(self) -> None:
        """Raises `WeightsError` if there is what is no file: a pipe would be waited for, a device has no end."""
        if self.path.exists() and not self.path.is_file():
            raise WeightsError(f"{self.path}: is not a file", f"remove it, or set {VARIABLE} to another folder")

    def check(self) -> None:
        """Raises `WeightsError` if the content is not what the name says."""
        try:
            self.check_kind()
            with open_regular(self.path) as stream:
                intact = hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256
        except OSError as error:
            raise WeightsError(f"{self.path}: cannot be read: {error.strerror}", "check the cache folder") from error
        if not intact:
            raise WeightsError(
                f"the cached {self.name} is damaged or was replaced: {self.path}",
                f"`scales models remove {self.name}`, then pull or import it again",
            )


class Cache:
    """`folder` need not exist; it is made when something is written."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _default_folder()

    def path(self, name: str, sha256: str) -> Path:
        return self.folder / f"{name}.{sha256}{SUFFIX}"

    def models(self) -> list[CachedModel]:
        """Every file that claims to be a model, by name, the newest first."""
        found = []
        for path in self._files():
            if matched := _FILE.fullmatch(path.name):
                found.append((matched["name"], -_modified(path), CachedModel(matched["name"], matched["sha256"], path)))
        return [model for *_, model in sorted(found, key=lambda item: item[:2])]

    def find(self, name: str, sha256: str | None = None) -> CachedModel | None:
        """The newest of a name, or that of a hash; not checked."""
        return next((model for model in self.named(name) if sha256 in (None, model.sha256)), None)

    def named(self, name: str) -> list[CachedModel]:
        """All files of a name, the newest first."""
        return [model for model in self.models() if model.name == name]

    def remove(self, models: Iterable[CachedModel]) -> None:
        with self.writing():
            for model in models:
                _remove(model.path)

    def prune(self, superseded: Callable[[CachedModel], bool]) -> list[Path]:
        """Removes left-over temporary files, damaged models and those that `superseded` names; what was removed."""
        useless = abandoned_files(self.folder)
        useless += [model.path for model in self.models() if _is_damaged(model) or superseded(model)]
        with self.writing():
            for path in useless:
                _remove(path)
        return useless

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Any error of the system as one that says how to choose another folder: `OutputError` if the disk is full."""
        try:
            yield
        except OSError as error:
            kind = OutputError if error.errno in FULL_DISK else WeightsError
            raise kind(
                f"the cache {self.folder} cannot be written: {error.strerror or error}",
                f"set {VARIABLE} to a folder that can",
            ) from error

    def _files(self) -> list[Path]:
        try:
            return list(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise WeightsError(
                f"the cache {self.folder} cannot be read: {error.strerror}", f"set {VARIABLE} to a folder"
            ) from error


def _default_folder() -> Path:
    """`SCALES_CACHE`, or the system's folder for caches."""
    import platformdirs

    try:
        folder = os.environ.get(VARIABLE) or platformdirs.user_cache_dir("scales", appauthor=False)
        return Path(folder).expanduser().absolute() / "models"
    except RuntimeError as error:  # HOME is unset, and the system knows of no other
        raise WeightsError("there is no home folder to keep models in", f"set {VARIABLE} to a folder") from error


def _is_damaged(model: CachedModel) -> bool:
    """Whether what is there is not the model. What cannot be read right now may be whole, and the only copy."""
    try:
        model.check()
    except WeightsError as error:
        return not isinstance(error.__cause__, OSError) or isinstance(error.__cause__, FileNotFoundError)
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise WeightsError(f"{path}: is a folder", "remove it by hand")
    path.unlink(missing_ok=True)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed by another process
        return time.time()
