"""Where models that have a name are found: inside the package, in the cache, or on the web.

A model's name is `scales-tiny-x4`; `tiny` stands for the one of a scale. Those that `registry.toml` lists are pinned by
their hashes. They come with the package, or are downloaded once. Others are known by what they were imported as.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import resources
from pathlib import Path

from scales_cli.errors import UsageError, WeightsError
from scales_cli.storage.offline import OFFLINE, is_offline
from scales_cli.system.progress import Progress
from scales_cli.weights import registry
from scales_cli.weights.address import HubAddress, WebAddress
from scales_cli.weights.cache import NAME, Cache, CachedModel
from scales_cli.weights.packed import load_packed
from scales_cli.weights.registry import AUTO, SUFFIX, WeightEntry
from scales_cli.weights.transfer import fetch

MIRROR = "SCALES_MIRROR"


def is_path(name: str) -> bool:
    """Whether `-m` was given a file, not a name."""
    return name.endswith(SUFFIX) or os.sep in name or "/" in name


class Store:
    """All models that have a name."""

    def __init__(self, cache: Cache | None = None) -> None:
        self.registry = registry.load_registry()
        self._cache = cache

    @property
    def cache(self) -> Cache:
        """Made when it is needed: what comes with the package needs no home folder."""
        self._cache = self._cache or Cache()
        return self._cache

    def find(self, name: str, scale: int | None = None) -> WeightEntry | CachedModel:
        """The published model of a name, or of a size and a scale; else what was imported as that, not checked."""
        if found := self.published(name, scale):
            return found[0]
        if scales := ", ".join(str(entry.scale) for entry in self.published(name)):
            raise WeightsError(f"model {name!r} does not enlarge by {scale}", f"it does by {scales}")
        imported = self.imported()
        for model in imported:
            if model.name == name:
                return model
        entries = self.registry.entries
        names = [entry.name for entry in entries] + sorted({AUTO, *(entry.family for entry in entries)})
        names += [model.name for model in imported]
        nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        raise WeightsError(
            f"no model {name!r}", f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(names)}"
        )

    def published(self, name: str, scale: int | None = None) -> list[WeightEntry]:
        """The model of a full name, or those of a size or that `auto` chooses from, of one scale or all."""
        if name == AUTO:
            both = [*self.registry.clean(), *self.registry.mending()]
            return [entry for entry in both if scale in (None, entry.scale)]
        return [
            entry
            for entry in self.registry.entries
            if name == entry.name or (name == entry.family and scale in (None, entry.scale))
        ]

    def names(self, name: str) -> list[str]:
        """The full name of a model, or those of a size. Raises `WeightsError` if nothing has the name."""
        return [entry.name for entry in self.published(name)] or [self.find(name).name]

    def imported(self) -> list[CachedModel]:
        """Models of the cache that are none of the published."""
        published = {entry.name for entry in self.registry.entries}
        return [model for model in self.cache.models() if model.name not in published]

    def locate(self, entry: WeightEntry) -> Path | None:
        """A published model's file on this machine, checked; None if it has to be downloaded.

        Raises `WeightsError` if the package's file is damaged, or the cache's and nothing may be downloaded.
        """
        path = bundled_path(entry)
        if path.is_file():
            entry.check(path)
            return path
        cached = self.cache.find(entry.name, entry.sha256)
        if cached is None:
            return None
        try:
            cached.check()
        except WeightsError:
            if is_offline():
                raise
            return None
        return cached.path

    def pull(self, entry: WeightEntry, source: Path | None = None, progress: Progress | None = None) -> Path:
        """Puts a published model into the cache, from a file, or the mirror, or where it was published."""
        return self._fetch_first(entry, self._sources(entry) if source is None else [source], progress)

    def obtain(self, entry: WeightEntry, progress: Progress | None = None) -> Path:
        """A published model's file in the cache; the package's, if it can be downloaded from nowhere."""
        try:
            sources = self._sources(entry)
        except WeightsError:
            if path := self.locate(entry):
                return path
            raise
        cached = self.cache.find(entry.name, entry.sha256)
        if cached is not None:
            with suppress(WeightsError):
                cached.check()
                return cached.path
        return self._fetch_first(entry, sources, progress)

    def pull_address(self, address: WebAddress | HubAddress, progress: Progress | None = None) -> Path:
        """Puts a model that is in no registry into the cache, under its file's name."""
        if is_offline():
            raise WeightsError(f"{OFFLINE} forbids to fetch {address.name}", "`scales models import` adds a file")
        if isinstance(address, WebAddress):
            return self.add(address.name, address.sha256, address.url, progress)
        with address.download(progress) as (path, sha256):
            return self.add(address.name, sha256, path)

    def add(self, name: str, sha256: str, source: str | Path, progress: Progress | None = None) -> Path:
        """Puts any packed model into the cache, in the place of what had its name. Published names are refused."""
        if NAME.fullmatch(name) is None or is_path(name) or name == AUTO:
            raise UsageError(f"{name!r} cannot be a model's name", "use letters, digits and hyphens")
        for entry in self.registry.entries:
            if name in (entry.name, entry.family) and sha256 != entry.sha256:
                raise UsageError(f"{name} is the name of a published model", "import the file under another name")
        # Not what comes meanwhile: two processes would remove each other's.
        superseded = [model for model in self.cache.named(name) if model.sha256 != sha256]
        path = fetch(self.cache, name, sha256, source, progress=progress)
        self.cache.remove(superseded)
        return path

    def import_file(self, file: Path, name: str) -> Path:
        """Copies a packed file into the cache, under a name of its own."""
        load_packed(file)  # which says best what may be wrong with it
        return self.add(name, hashlib.sha256(file.read_bytes()).hexdigest(), file)

    def remove(self, name: str) -> bool:
        """Removes a model, or those of a size, from the cache; whether there was any. Raises errors as `find`."""
        found = [model for full in self.names(name) for model in self.cache.named(full)]
        self.cache.remove(found)
        return bool(found)

    def verify(self) -> Iterator[tuple[str, Path, WeightsError | None]]:
        """Every model's file, in the package and in the cache, and what is wrong with it."""
        for entry in self.registry.entries:
            if (path := bundled_path(entry)).is_file():
                yield entry.name, path, _defect(path, partial(entry.check, path))
        for model in self.cache.models():
            yield model.name, model.path, _defect(model.path, model.check)

    def prune(self) -> list[Path]:
        """Removes what is of no use: left-overs, damaged files, other versions of published models."""
        pins = {entry.name: entry.sha256 for entry in self.registry.entries}
        return self.cache.prune(lambda model: pins.get(model.name, model.sha256) != model.sha256)

    def _fetch_first(self, entry: WeightEntry, sources: Sequence[str | Path], progress: Progress | None) -> Path:
        """From the first source that has it; raises the error of the last."""
        for source in sources[:-1]:
            with suppress(WeightsError):
                return fetch(self.cache, entry.name, entry.sha256, source, size=entry.size, progress=progress)
        return fetch(self.cache, entry.name, entry.sha256, sources[-1], size=entry.size, progress=progress)

    def _sources(self, entry: WeightEntry) -> list[str]:
        """Where a model can be had from, the mirror first. Raises `WeightsError` if there is no such place."""
        places = [place for place in (os.environ.get(MIRROR, ""), self.registry.base_url) if place]
        by_hand = f"`scales models pull {entry.name} --from FILE` takes it from a file"
        if not places:
            raise WeightsError(
                f"model {entry.name} is not on this machine, and there is no address to download it from",
                f"set {MIRROR} to a folder or address that has {entry.file}, or {by_hand}",
            )
        if is_offline():
            places = [place for place in places if "://" not in place]
        if not places:
            raise WeightsError(f"model {entry.name} is not on this machine, and {OFFLINE} forbids to fetch it", by_hand)
        places = [place if "://" in place else os.path.expanduser(place) for place in places]  # noqa: PTH111
        return [f"{place.rstrip('/')}/{entry.file}" for place in places]


def bundled_path(entry: WeightEntry) -> Path:
    """Where a model's file is in the package, if it comes with it."""
    return Path(str(resources.files("scales_cli.weights"))) / "models" / entry.file


def _defect(path: Path, check: Callable[[], None]) -> WeightsError | None:
    try:
        check()
        load_packed(path)
    except WeightsError as error:
        return error
    return None
