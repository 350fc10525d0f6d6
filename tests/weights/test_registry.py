import dataclasses
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
    path.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        entry.check(path)


def test_registry_round_trips_through_toml(weights_file):
    entries = [entry_for(weights_file(scale), 'with "quotes" and ünicode') for scale in (2, 4)]
    registry = Registry("https://example.org/models", ()).with_entries(entries)
    values = tomllib.loads(registry.to_toml())
    assert values["base_url"] == registry.base_url
    assert tuple(WeightEntry.from_dict(entry) for entry in values["model"]) == registry.entries


def test_a_registry_holds_any_text(weights_file):
    """As of a stranger's card: one that could not be read would break the program that it comes with."""
    every = "".join(map(chr, (*range(0x110), 0x2028, 0xFEFF, 0x1F600)))
    entry = dataclasses.replace(entry_for(weights_file(2), every), licence="\ud800", psnr={every: 1.0})
    (found,) = tomllib.loads(Registry("", (entry,)).to_toml().encode().decode())["model"]
    assert (found["data_licence"], found["licence"], found["psnr"]) == (every, "?", {every: 1.0})


def test_new_entries_take_the_place_of_those_of_their_names(weights_file):
    old, new = (entry_for(weights_file(2), licence) for licence in ("old", "new"))
    assert Registry("", (old,)).with_entries([new]).entries == (new,)


def test_a_new_file_keeps_from_where_on_auto_takes_it(weights_file):
    old, new = (entry_for(weights_file(2), licence) for licence in ("old", "new"))
    registry = Registry("", (dataclasses.replace(old, auto_from=0.2),)).with_entries([new])
    assert registry.entries == (dataclasses.replace(new, auto_from=0.2),)
    values = tomllib.loads(registry.to_toml())
    assert tuple(WeightEntry.from_dict(entry) for entry in values["model"]) == registry.entries


def test_auto_takes_the_larger_photo_model_of_a_scale():
    known = load_registry().entries
    tiny = next(entry for entry in known if entry.name == "scales-photo-tiny-x4")
    entries = (*(entry for entry in known if not entry.spec.strength), tiny)
    photo = dataclasses.replace(tiny, name="scales-photo-x4", auto_from=0.1)
    unmeasured = dataclasses.replace(photo, auto_from=None)
    assert Registry("", entries).mending() == [tiny]
    assert Registry("", (*entries, photo)).mending() == [photo]
    assert Registry("", (*entries, unmeasured)).mending() == [tiny]
    assert [entry.family for entry in Registry("", entries).clean()] == ["base"] * 3


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
        pinned = entry_for(bundled_path(entry), entry.data_licence)
        assert entry == dataclasses.replace(pinned, auto_from=entry.auto_from)
        # What a model that mends is good for is measured: `scales eval --degrade all --switch`.
        assert (entry.auto_from is not None) == entry.spec.strength
        assert entry.auto_from is None or 0 < entry.auto_from < 1
    assert sum(entry.size for entry in entries) < 2 * 2**20
