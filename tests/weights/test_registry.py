import pytest

from scales_cli.errors import WeightsError
from scales_cli.weights import registry
from scales_cli.weights.registry import WeightEntry, entry_for, find_entry, registered

ENTRIES = tuple(
    WeightEntry(f"scales-{size}-x{scale}", f"scales-{size}-x{scale}.safetensors", 1, "0")
    for size in ("tiny", "base")
    for scale in (2, 4)
)


@pytest.fixture
def entries(monkeypatch):
    monkeypatch.setattr(registry, "registered", lambda: ENTRIES)


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [("tiny", 2, "scales-tiny-x2"), ("base", 4, "scales-base-x4"), ("scales-tiny-x4", 2, "scales-tiny-x4")],
)
def test_find_entry_takes_sizes_and_full_names(entries, name, scale, expected):
    assert find_entry(name, scale).name == expected


@pytest.mark.parametrize(("name", "nearest"), [("tyny", "tiny"), ("scales-bse-x4", "scales-base-x4")])
def test_find_entry_suggests_the_nearest_name(entries, name, nearest):
    with pytest.raises(WeightsError) as caught:
        find_entry(name, 4)
    assert nearest in caught.value.hint


def test_find_entry_of_nothing_alike_lists_all(entries):
    with pytest.raises(WeightsError) as caught:
        find_entry("zzz", 3)
    assert "scales-base-x2" in caught.value.hint


def test_entry_for_round_trips_through_toml(tmp_path, monkeypatch):
    import tomllib

    path = tmp_path / "scales-tiny-x3.safetensors"
    path.write_bytes(b"weights")
    entry = entry_for(path)
    assert (entry.family, entry.scale, entry.size) == ("tiny", 3, 7)
    assert WeightEntry(**tomllib.loads(entry.to_toml())["model"][0]) == entry
    entry.check(b"weights")
    with pytest.raises(WeightsError, match="damaged"):
        entry.check(b"weightz")


def test_entry_for_wants_a_models_name(tmp_path):
    with pytest.raises(WeightsError, match="name"):
        entry_for(tmp_path / "model.safetensors")


def test_registered_models_are_in_the_package():
    from importlib import resources

    for entry in registered():
        entry.check(resources.files("scales_cli.weights").joinpath("models", entry.file).read_bytes())
