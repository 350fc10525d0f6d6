import tomllib

import pytest

from scales_cli.errors import WeightsError
from scales_cli.weights.registry import Registry, WeightEntry, entry_for, load_registry
from scales_cli.weights.store import bundled_path


def test_entry_for_pins_a_file(weights_file):
    path = weights_file(3)
    entry = entry_for(path, "CC0")
    assert (entry.family, entry.scale, entry.size, entry.data_licence) == ("random", 3, path.stat().st_size, "CC0")
    entry.check(path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="damaged"):
        entry.check(path)


def test_registry_round_trips_through_toml(weights_file):
    entries = [entry_for(weights_file(scale), 'with "quotes" and ünicode') for scale in (2, 4)]
    registry = Registry("https://example.org/models", ()).with_entries(entries)
    values = tomllib.loads(registry.to_toml())
    assert values["base_url"] == registry.base_url
    assert tuple(WeightEntry.from_dict(entry) for entry in values["model"]) == registry.entries


def test_new_entries_take_the_place_of_those_of_their_names(weights_file):
    old, new = (entry_for(weights_file(2), licence) for licence in ("old", "new"))
    assert Registry("", (old,)).with_entries([new]).entries == (new,)


def test_entry_for_wants_a_models_name_and_its_scale(weights_file):
    path = weights_file(2)
    with pytest.raises(WeightsError, match="name"):
        entry_for(path.rename(path.with_name("model.safetensors")), "")
    path = weights_file(2)
    with pytest.raises(WeightsError, match="enlarges by 2"):
        entry_for(path.rename(path.with_name("scales-random-x4.safetensors")), "")


def test_the_registry_pins_the_models_of_the_package():
    entries = load_registry().entries
    expected = {f"scales-{size}-x{scale}" for size in ("tiny", "base") for scale in (2, 3, 4)}
    assert {entry.name for entry in entries} >= expected
    for entry in entries:
        assert entry == entry_for(bundled_path(entry), entry.data_licence)
    assert sum(entry.size for entry in entries) < 1.5 * 2**20
