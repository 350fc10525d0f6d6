"""What a model's name or path stands for: resolved once in a run, and handed to all that need a network of it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from scales_cli.errors import UsageError, WeightsError
from scales_cli.system.progress import Progress
from scales_cli.weights.cache import CachedModel
from scales_cli.weights.packed import PackedWeights, load_packed
from scales_cli.weights.preferences import default_model
from scales_cli.weights.registry import AUTO, WeightEntry
from scales_cli.weights.store import Store, is_path

# Makes the report of a download's progress, by the name of what is downloaded; entered for as long as that takes.
Downloading = Callable[[str], AbstractContextManager[Progress | None]]


@dataclass(frozen=True)
class Model:
    """A packed network and what it is called."""

    name: str
    weights: PackedWeights


class Source(Protocol):
    """Where a network's file comes from."""

    @property
    def name(self) -> str: ...

    def locate(self, downloading: Downloading) -> Path:
        """The file, checked, and downloaded if it is not on this machine. Raises `WeightsError`."""
        ...


@dataclass(frozen=True)
class OwnFile:
    """A packed file that was given by its path."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    def locate(self, downloading: Downloading) -> Path:
        return self.path


@dataclass(frozen=True)
class Imported:
    """A model that was put into the cache under a name of its own."""

    model: CachedModel

    @property
    def name(self) -> str:
        return self.model.name

    def locate(self, downloading: Downloading) -> Path:
        self.model.check()
        return self.model.path


@dataclass(frozen=True)
class Published:
    """A model of the registry."""

    entry: WeightEntry
    store: Store

    @property
    def name(self) -> str:
        return self.entry.name

    def locate(self, downloading: Downloading) -> Path:
        if path := self.store.locate(self.entry):
            return path
        with downloading(self.name) as progress:
            return self.store.pull(self.entry, progress=progress)


@dataclass(frozen=True)
class Loaded:
    """A network that is in memory already: nobody asks for its file."""

    name: str

    def locate(self, downloading: Downloading) -> Path:
        raise WeightsError(f"{self.name} has no file", "it was loaded before")


class ModelFamily:
    """The networks of one name, one for each of its `scales`: each is located, hashed and read once, when needed.

    A copy for another process takes along what has been opened: a file may be another one by then.
    """

    def __init__(self, name: str, sources: Mapping[int, Source]) -> None:
        self.name = name
        self._sources = dict(sources)
        self._paths: dict[int, Path] = {}
        self._opened: dict[int, Model] = {}

    @classmethod
    def of_one(cls, source: Source) -> ModelFamily:
        """The family of a single file, whose scale only its content tells."""
        path = source.locate(_unseen)
        weights = load_packed(path)
        family = cls(source.name, {weights.spec.scale: source})
        family._paths[weights.spec.scale] = path
        family._opened[weights.spec.scale] = Model(source.name, weights)
        return family

    def with_sources(self, change: Callable[[Source, Path | None], Source]) -> Self:
        """The same networks from elsewhere, by what `change` makes of each source and its file, if that is located."""
        family = copy.copy(self)
        family._sources = {scale: change(source, self._paths.get(scale)) for scale, source in self._sources.items()}
        family._paths, family._opened = {}, {}
        return family

    @property
    def scales(self) -> tuple[int, ...]:
        """In rising order; at least one."""
        return tuple(sorted(self._sources))

    def scales_for(self, denoise: float | None) -> tuple[int, ...]:
        """Those of networks that can mend as much as is asked for; all if nothing is."""
        return self.scales

    def check_denoise(self, scale: int, denoise: float) -> None:
        """Raises `UsageError` if no network for `scale` can be told to mend so much; `WeightsError` as `open`."""
        model = self.open(scale)
        if not model.weights.spec.strength:
            raise not_told(model.name)

    def pull(self, scale: int, downloading: Downloading | None = None) -> Path:
        """The file of the network for `scale`, checked; it is downloaded if it is not on this machine.

        Raises `WeightsError` if there is none, or if it cannot be had.
        """
        if scale not in self._paths:
            self._paths[scale] = self._source(scale).locate(downloading or _unseen)
        return self._paths[scale]

    def open(self, scale: int) -> Model:
        """The network for `scale`. Raises `WeightsError` as `pull`, and if the file is not what it should be."""
        if scale not in self._opened:
            path = self.pull(scale)
            self._opened[scale] = Model(self._sources[scale].name, load_packed(path))
        return self._opened[scale]

    def digest(self, scale: int) -> str:
        """SHA-256 of all that decides what the network for `scale` computes. Raises `WeightsError` as `open`."""
        return self.open(scale).weights.digest()

    def _source(self, scale: int) -> Source:
        if scale in self._sources:
            return self._sources[scale]
        known = self.scales
        if self.name == self._sources[known[0]].name:  # a full name, a file or an import, which have one scale
            raise WeightsError(
                f"model {self.name} enlarges by {known[0]}, not by {scale}",
                f"enlarge by {known[0]} (-s {known[0]}), or choose another model",
            )
        raise WeightsError(
            f"model {self.name!r} does not enlarge by {scale}", f"it does by {', '.join(map(str, known))}"
        )


class AutoFamily(ModelFamily):
    """The networks for clean pictures; of some scales there are such in `mending` that take the others.

    `auto_from` is, by scale, the least strength of a picture that is one of those others.
    """

    def __init__(self, clean: Mapping[int, Source], mending: Mapping[int, Source], auto_from: Mapping[int, float]):
        super().__init__(AUTO, clean)
        self.mending = ModelFamily(AUTO, mending)
        self.auto_from = dict(auto_from)

    @classmethod
    def of(cls, store: Store) -> AutoFamily:
        clean, mending = (
            {entry.scale: entry for entry in entries} for entries in (store.registry.clean(), store.registry.mending())
        )
        return cls(
            {scale: Published(entry, store) for scale, entry in clean.items()},
            {scale: Published(entry, store) for scale, entry in mending.items()},
            {scale: entry.auto_from for scale, entry in mending.items() if entry.auto_from is not None},
        )

    def with_sources(self, change: Callable[[Source, Path | None], Source]) -> Self:
        family = super().with_sources(change)
        family.mending = self.mending.with_sources(change)
        return family

    def scales_for(self, denoise: float | None) -> tuple[int, ...]:
        return self.mending.scales if denoise and self.mending.scales else self.scales

    def mends(self, scale: int) -> bool:
        return scale in self.mending.scales

    def check_denoise(self, scale: int, denoise: float) -> None:
        if denoise and not self.mends(scale):
            known = " or ".join(f"-s {other}" for other in self.mending.scales)
            raise UsageError(
                f"there is no photo model that enlarges by {scale}", f"leave --denoise out, or use {known or 'another'}"
            )

    def pull(self, scale: int, downloading: Downloading | None = None) -> Path:
        """Both files; gives that for clean pictures."""
        path = super().pull(scale, downloading)
        if self.mends(scale):
            self.mending.pull(scale, downloading)
        return path

    def digest(self, scale: int) -> str:
        if not self.mends(scale):
            return super().digest(scale)
        return f"{super().digest(scale)}, from {self.auto_from[scale]} {self.mending.digest(scale)}"


def not_told(model: str) -> UsageError:
    """What is wrong if a model is told how much to mend that was not trained for it."""
    return UsageError(f"{model} does not mend noise or JPEG blocks", "leave --denoise out, or choose a photo model")


def resolve(name: str | os.PathLike[str] | None = None, store: Store | None = None) -> ModelFamily:
    """The models of a size (`tiny`), of a full name (`scales-tiny-x4`), of a path, of `auto`, or the default ones.

    What is no name is a path if there is such a file.

    Raises `WeightsError` if the name is unknown, or if the file is no packed model.
    """
    is_default = name is None
    name = default_model() if name is None else os.fspath(name)
    if "://" in name or name.startswith("hf:"):
        raise WeightsError(f"{name}: is an address", "`scales models pull` it, and use the name that it has then")
    if is_path(name):
        return ModelFamily.of_one(OwnFile(Path(name)))
    store = store or Store()
    if name == AUTO:
        return AutoFamily.of(store)
    try:
        found = store.find(name)
    except WeightsError as error:
        if is_default:
            raise WeightsError(f"the default: {error.message}", "`scales models default auto` sets another") from error
        if os.path.exists(name):  # noqa: PTH110 - Path raises if the name is too long
            return ModelFamily.of_one(OwnFile(Path(name)))
        raise
    if isinstance(found, CachedModel):
        return ModelFamily.of_one(Imported(found))
    return ModelFamily(name, {entry.scale: Published(entry, store) for entry in store.published(name)})


def _unseen(name: str) -> AbstractContextManager[None]:
    return nullcontext()
