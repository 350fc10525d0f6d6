"""Models on their way to other machines, where a file is known by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scales_cli.errors import WeightsError
from scales_cli.system.files import whole_file
from scales_cli.weights.family import Downloading, ModelFamily, Source
from scales_cli.weights.registry import SUFFIX
from scales_cli.weights.store import Store


@dataclass(frozen=True)
class Sent:
    """A file of another machine."""

    name: str
    sha256: str

    def locate(self, downloading: Downloading) -> Path:
        raise WeightsError(f"the file of {self.name} is not on this machine", "run again")


@dataclass(frozen=True)
class Received:
    """The same file here."""

    name: str
    path: Path

    def locate(self, downloading: Downloading) -> Path:
        return self.path


def send(family: ModelFamily) -> tuple[ModelFamily, dict[str, Path]]:
    """The family for other machines, and the files by their hashes. Networks without a file are left as they are."""
    files: dict[str, Path] = {}

    def change(source: Source, path: Path | None) -> Source:
        if path is None:
            return source
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        files[sha256] = path
        return Sent(source.name, sha256)

    return family.with_sources(change), files


def receive(family: ModelFamily, folder: Path) -> tuple[ModelFamily, tuple[str, ...]]:
    """The family by files of `folder`, the package or the cache of this machine; and the hashes of those lacking."""
    lacking: list[str] = []

    def change(source: Source, path: Path | None) -> Source:
        if not isinstance(source, Sent):
            return source
        found = _find(source.sha256, folder)
        if found is None:
            lacking.append(source.sha256)
            return source
        return Received(source.name, found)

    return family.with_sources(change), tuple(lacking)


def keep(files: Mapping[str, bytes], folder: Path) -> None:
    """Puts files that have come into `folder`, where `receive` finds them. Raises `OSError`."""
    for sha256, content in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / f"{sha256}{SUFFIX}", overwrite=True) as stream:
            stream.write(content)


def _find(sha256: str, folder: Path) -> Path | None:
    if (path := folder / f"{sha256}{SUFFIX}").is_file():
        return path
    store = Store()
    with suppress(WeightsError):
        for entry in store.registry.entries:
            if entry.sha256 == sha256 and (found := store.locate(entry)):
                return found
        for model in store.imported():
            if model.sha256 == sha256:
                model.check()
                return model.path
    return None
