"""The folder that is uploaded to where `base_url` of the registry points, or served as a mirror."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scales_cli.system.files import make_folder, replacing
from scales_cli.weights.registry import WeightEntry, entry_for
from scales_cli.weights.store import Store


def publish(store: Store, folder: Path, files: Iterable[Path], data_licence: str) -> list[WeightEntry]:
    """Writes every published model and `files`, which are added or take their names' place, and a `registry.toml`.

    That registry takes the place of the package's. Raises `WeightsError` if a file is no packed model, is not named
    as published ones are, or if a published one cannot be had.
    """
    added = {entry.name: (entry, path) for path in files for entry in [entry_for(path, data_licence)]}
    registry = store.registry.with_entries(entry for entry, _ in added.values())
    make_folder(folder, "check the path")
    for entry in registry.entries:
        _, source = added.get(entry.name) or (entry, store.locate(entry) or store.pull(entry))
        with replacing(folder / entry.file, overwrite=True) as stream:
            stream.write(source.read_bytes())
        entry.check(folder / entry.file)
    with replacing(folder / "registry.toml", overwrite=True) as stream:
        stream.write(registry.to_toml().encode())
    return list(registry.entries)
