import dataclasses
import os

import pytest

from scales_cli.errors import UsageError, WeightsError
from scales_cli.weights import registry
from scales_cli.weights.registry import Registry, entry_for
from scales_cli.weights.settings import default_model, set_default_model
from scales_cli.weights.store import Store, find_model


def test_find_model_takes_a_path(weights_file):
    path = weights_file(3)
    model = find_model(path, 3)
    assert model.name == "scales-random-x3"
    assert model.weights.spec.scale == 3
    assert find_model(str(path), 3).name == model.name


def test_find_model_refuses_another_scale(weights_file):
    with pytest.raises(WeightsError, match="enlarges by 3") as caught:
        find_model(weights_file(3), 2)
    assert "-s 3" in caught.value.hint


def test_find_model_refuses_damaged_files(weights_file, tmp_path):
    data = weights_file(2).read_bytes()
    for bad in (b"", b"junk", data[:100], data[:-1], b"\x80\x04pickle"):
        path = tmp_path / "bad.safetensors"
        path.write_bytes(bad)
        with pytest.raises(WeightsError):
            find_model(path, 2)
    with pytest.raises(WeightsError, match="no such"):
        find_model(tmp_path / "missing.safetensors", 2)


@pytest.mark.parametrize("name", ["base", "scales-base-x4", None])
def test_find_model_takes_names_without_a_cache(name, own_models):
    assert find_model(name, 4).name == "scales-base-x4"
    assert not own_models.parent.exists()


@pytest.mark.parametrize(
    ("name", "hint"), [("tyny", "tiny"), ("scales-bse-x4", "scales-base-x4"), ("qqq", "scales-tiny-x2")]
)
def test_unknown_names_bring_the_nearest_or_all(name, hint):
    with pytest.raises(WeightsError, match="no model") as caught:
        find_model(name, 4)
    assert hint in caught.value.hint


def test_a_size_without_that_scale_names_those_it_has(monkeypatch):
    entries = tuple(entry for entry in registry.load_registry().entries if entry.scale != 3)
    monkeypatch.setattr(registry, "load_registry", lambda: Registry("", entries))
    with pytest.raises(WeightsError, match="does not enlarge by 3") as caught:
        find_model("tiny", 3)
    assert "2, 4" in caught.value.hint


def test_the_default_can_be_set(weights_file):
    assert find_model(None, 4).name == "scales-base-x4"
    set_default_model("tiny")
    assert default_model() == "tiny"
    assert find_model(None, 4).name == "scales-tiny-x4"


def test_settings_that_cannot_be_read_are_named(monkeypatch, tmp_path):
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SCALES_CONFIG", str(path))
    for content in ("model = ", "model = 3", 'other = "x"', "\0"):
        path.write_text(content)
        with pytest.raises(UsageError, match=r"config\.toml"):
            default_model()


@pytest.fixture
def entry(weights_file, tmp_path, monkeypatch):
    """The one model of a registry, whose file is not in the package but in a mirror."""
    path = weights_file(2)
    entry = entry_for(path, "")
    monkeypatch.setattr(registry, "load_registry", lambda: Registry("", (entry,)))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    path.rename(mirror / entry.file)
    monkeypatch.setenv("SCALES_MIRROR", str(mirror))
    return entry


def test_a_known_model_is_downloaded_once(entry, own_models, tmp_path):
    assert find_model("random", 2).name == "scales-random-x2"
    assert [path.name for path in own_models.iterdir()] == [f"scales-random-x2.{entry.sha256}.safetensors"]
    (tmp_path / "mirror" / entry.file).unlink()
    assert find_model("scales-random-x2", 2).weights.spec.scale == 2


def test_a_damaged_cached_model_is_downloaded_anew_or_refused(entry, own_models, monkeypatch):
    find_model("random", 2)
    (path,) = own_models.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"x")
    monkeypatch.setenv("SCALES_OFFLINE", "1")
    with pytest.raises(WeightsError, match="damaged or was replaced"):
        find_model("random", 2)
    monkeypatch.setenv("SCALES_OFFLINE", "0")
    assert find_model("random", 2).name == "scales-random-x2"
    assert path.read_bytes() == good


def test_a_model_that_is_nowhere_says_where_to_put_it(entry, monkeypatch):
    monkeypatch.delenv("SCALES_MIRROR")
    with pytest.raises(WeightsError, match="no address") as caught:
        find_model("random", 2)
    assert "SCALES_MIRROR" in caught.value.hint
    assert "--from" in caught.value.hint


def test_the_mirror_comes_first_and_the_publishers_address_after_it(entry, tmp_path, monkeypatch):
    mirror, empty = tmp_path / "mirror", tmp_path / "empty"
    for places in ((mirror, empty), (empty, mirror)):
        monkeypatch.setenv("SCALES_MIRROR", str(places[0]))
        monkeypatch.setattr(registry, "load_registry", lambda: Registry(str(places[1]), (entry,)))  # noqa: B023
        Store().pull(entry)
        assert Store().cache.remove(entry.name) == 1
    (mirror / entry.file).unlink()
    with pytest.raises(WeightsError, match=r"mirror.*cannot be read"):
        Store().pull(entry)


def test_only_the_pinned_file_is_taken(entry, tmp_path, random_weights, own_models):
    path = tmp_path / "other.safetensors"
    random_weights(scale=2).save(path)
    with pytest.raises(WeightsError, match=r"SHA-256|larger|ended"):
        Store().pull(entry, path)
    assert not list(own_models.iterdir())


def test_imported_models_have_a_name(weights_file, own_models):
    store = Store()
    store.import_file(weights_file(2), "mine")
    assert find_model("mine", 2).name == "mine"
    store.import_file(weights_file(2), "mine")  # another, which takes its place
    assert len(list(own_models.iterdir())) == 1
    with pytest.raises(WeightsError) as caught:
        find_model("mime", 2)
    assert "mine" in caught.value.hint


@pytest.mark.parametrize("name", ["tiny", "scales-tiny-x4", "", "../x", "a b", ".hidden", "x" * 65, "a.safetensors"])
def test_imports_cannot_take_every_name(name, weights_file, own_models):
    with pytest.raises(UsageError):
        Store().import_file(weights_file(2), name)
    assert not own_models.exists()


def test_a_replaced_import_is_refused(weights_file, own_models):
    Store().import_file(weights_file(2), "mine")
    (path,) = own_models.iterdir()
    path.write_bytes(weights_file(2).read_bytes())
    with pytest.raises(WeightsError, match="damaged or was replaced"):
        find_model("mine", 2)


def test_prune_removes_what_is_of_no_use(entry, own_models, weights_file):
    store = Store()
    store.import_file(weights_file(2), "mine")
    store.pull(entry)
    keep = sorted(own_models.iterdir())
    (own_models / f"scales-random-x2.{'0' * 64}.safetensors").write_bytes(b"damaged")
    old = weights_file(2)
    old.rename(own_models / f"scales-random-x2.{entry_for(old, '').sha256}.safetensors")
    (own_models / "tmpab12cd34").touch()
    os.utime(own_models / "tmpab12cd34", (1, 1))
    (own_models / "tmpin0use00").touch()
    (own_models / "notes.txt").touch()
    assert len(store.prune()) == 3
    assert sorted(own_models.iterdir()) == sorted([*keep, own_models / "tmpin0use00", own_models / "notes.txt"])


def test_verify_finds_damage_everywhere(own_models, weights_file):
    store = Store()
    store.import_file(weights_file(2), "mine")
    assert all(error is None for *_, error in store.verify())
    (path,) = own_models.iterdir()
    path.write_bytes(b"")
    assert [name for name, _, error in store.verify() if error] == ["mine"]


def test_card_scores_of_any_kind_are_read(random_weights):
    for psnr, expected in [({"Set5": {"psnr": 31}}, {"Set5": 31.0}), ([1], {}), ({"a": 3, "b": {"psnr": "x"}}, {})]:
        assert dataclasses.replace(random_weights(), card={"psnr": psnr}).psnr() == expected


def test_settings_are_a_file(monkeypatch):
    """A device would be read without end, and replaced by a file."""
    for path in ("/dev/zero", "/dev"):
        monkeypatch.setenv("SCALES_CONFIG", path)
        for use in (default_model, lambda: set_default_model("base")):
            with pytest.raises(UsageError, match=path):
                use()


def test_models_are_pulled_from_files_only(entry, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero", tmp_path / "missing", tmp_path / "\0"):
        with pytest.raises(WeightsError):
            Store().pull(entry, path)


@pytest.mark.parametrize("name", ["https://example.org/mine.safetensors", "hf:me/mine@v1/mine.safetensors"])
def test_addresses_are_pulled_first(name):
    with pytest.raises(WeightsError) as caught:
        find_model(name, 4)
    assert "models pull" in caught.value.hint
