"""All models that have a name, and what is known of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scales_cli.backbones.cost import count
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import WeightsError
from scales_cli.weights.cache import CachedModel
from scales_cli.weights.packed import load_packed
from scales_cli.weights.registry import WeightEntry
from scales_cli.weights.store import Store, bundled_path

Place = Literal["bundled", "cached", "imported", "remote", "damaged"]  # where it is taken from


@dataclass(frozen=True)
class CatalogueItem:
    """`size` is in bytes, `psnr` in dB by benchmark; operations are for 320 x 180 LR pixels, see `backbones.cost`.

    `auto_from` is the least strength of pictures that `auto` leaves to the model, None if it leaves none.
    `path` is None for what would have to be downloaded, `spec` for what cannot be read.
    """

    name: str
    where: Place
    path: Path | None
    size: int
    sha256: str
    spec: NetworkSpec | None
    is_cached: bool
    licence: str = "unknown"
    data_licence: str = "unknown"
    psnr: Mapping[str, float] = dataclasses.field(default_factory=dict)
    auto_from: float | None = None

    @property
    def parameters(self) -> float | None:
        return None if self.spec is None else count(self.spec.parts()).parameters

    @property
    def operations(self) -> float | None:
        return None if self.spec is None else count(self.spec.parts()).operations

    def card(self) -> dict[str, Any]:
        """The model card in the file; empty if there is no readable file. Raises nothing."""
        try:
            return {} if self.path is None else dict(load_packed(self.path).card)
        except WeightsError:
            return {}

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "scale": self.spec and self.spec.scale,
            "where": self.where,
            "path": self.path and str(self.path),
            "cached": self.is_cached,
            "size": self.size,
            "sha256": self.sha256,
            "spec": self.spec and self.spec.to_dict(),
            "parameters": self.parameters,
            "operations": self.operations,
            "psnr": dict(self.psnr),
            "auto_from": self.auto_from,
            "licence": self.licence,
            "data_licence": self.data_licence,
        }


def catalogue(store: Store) -> list[CatalogueItem]:
    """Published models in the registry's order, then imported ones."""
    return [describe_published(store, entry) for entry in store.registry.entries] + [
        describe_imported(model) for model in store.imported()
    ]


def describe(store: Store, name: str, scale: int | None = None) -> list[CatalogueItem]:
    """The model of a name, or all of a size. Raises `WeightsError` if there is none."""
    if entries := store.published(name, scale):
        return [describe_published(store, entry) for entry in entries]
    found = store.find(name, scale)
    assert isinstance(found, CachedModel)  # as it is none of the published
    return [describe_imported(found)]


def describe_published(store: Store, entry: WeightEntry) -> CatalogueItem:
    cached = store.cache.find(entry.name, entry.sha256)
    where: Place
    try:
        path, where = store.locate(entry), "cached"
        if path is None:
            where = "remote" if cached is None else "damaged"
        elif path == bundled_path(entry):
            where = "bundled"
    except WeightsError:
        path, where = None, "damaged"
    return CatalogueItem(
        entry.name,
        where,
        path,
        entry.size,
        entry.sha256,
        entry.spec,
        cached is not None,
        entry.licence,
        entry.data_licence,
        entry.psnr,
        store.registry.auto_from(entry),
    )


def describe_imported(model: CachedModel) -> CatalogueItem:
    size = 0
    try:
        with suppress(OSError):  # of a link to nothing, say, which is no model either
            size = model.path.stat().st_size
        model.check()
        weights = load_packed(model.path)
    except WeightsError:
        return CatalogueItem(model.name, "damaged", model.path, size, model.sha256, None, True)
    licence = str(weights.card.get("licence", "unknown"))
    return CatalogueItem(
        model.name, "imported", model.path, size, model.sha256, weights.spec, True, licence, psnr=weights.psnr()
    )
