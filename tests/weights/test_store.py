import dataclasses
import os

import pytest

from scales_cli.errors import UsageError, WeightsError
from scales_cli.weights import registry
from scales_cli.weights.family import resolve
from scales_cli.weights.registry import Registry, entry_for
from scales_cli.weights.store import Store
from scales_cli.weights.transfer import fetch


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
    assert resolve("random").open(2).name == "scales-random-x2"
    assert [path.name for path in own_models.iterdir()] == [f"scales-random-x2.{entry.sha256}.safetensors"]
    (tmp_path / "mirror" / entry.file).unlink()
    assert resolve("scales-random-x2").open(2).weights.spec.scale == 2


def test_a_damaged_cached_model_is_downloaded_anew_or_refused(entry, own_models, monkeypatch):
    resolve("random").open(2)
    (path,) = own_models.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"x")
    monkeypatch.setenv("SCALES_OFFLINE", "1")
    with pytest.raises(WeightsError, match="damaged or was replaced"):
        resolve("random").open(2)
    monkeypatch.setenv("SCALES_OFFLINE", "0")
    assert resolve("random").open(2).name == "scales-random-x2"
    assert path.read_bytes() == good


def test_a_model_that_is_nowhere_says_where_to_put_it(entry, monkeypatch):
    monkeypatch.delenv("SCALES_MIRROR")
    with pytest.raises(WeightsError, match="no address") as caught:
        resolve("random").open(2)
    assert "SCALES_MIRROR" in caught.value.hint
    assert "--from" in caught.value.hint


def test_the_mirror_comes_first_and_the_publishers_address_after_it(entry, tmp_path, monkeypatch):
    mirror, empty = tmp_path / "mirror", tmp_path / "empty"
    for places in ((mirror, empty), (empty, mirror)):
        monkeypatch.setenv("SCALES_MIRROR", str(places[0]))
        monkeypatch.setattr(registry, "load_registry", lambda: Registry(str(places[1]), (entry,)))  # noqa: B023
        Store().pull(entry)
        assert Store().remove(entry.name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCALES_MIRROR", "~/mirror")
    assert Store().pull(entry).is_file()
    assert Store().remove(entry.name)
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
    assert resolve("mine").open(2).name == "mine"
    store.import_file(weights_file(2), "mine")  # another, which takes its place
    assert len(list(own_models.iterdir())) == 1
    with pytest.raises(WeightsError) as caught:
        resolve("mime").open(2)
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
        resolve("mine").open(2)


def test_of_imports_at_once_the_last_one_stays(monkeypatch, own_models, weights_file):
    store, files = Store(), [weights_file(2), weights_file(2)]

    def fetch_as_another_does(*arguments, **options):
        path = fetch(*arguments, **options)
        monkeypatch.setattr("scales_cli.weights.store.fetch", fetch)
        Store().import_file(files[1], "mine")
        return path

    monkeypatch.setattr("scales_cli.weights.store.fetch", fetch_as_another_does)
    store.import_file(files[0], "mine")
    (left,) = own_models.iterdir()
    assert left.read_bytes() == files[1].read_bytes()


def test_prune_removes_what_is_of_no_use(entry, own_models, weights_file):
    store = Store()
    store.import_file(weights_file(2), "mine")
    store.pull(entry)
    keep = sorted(own_models.iterdir())
    (own_models / f"scales-random-x2.{'0' * 64}.safetensors").write_bytes(b"damaged")
    old = weights_file(2)
    old.rename(own_models / f"scales-random-x2.{entry_for(old, '').sha256}.safetensors")
    (own_models / ".scales-1-ab12cd34.tmp").touch()
    os.utime(own_models / ".scales-1-ab12cd34.tmp", (1, 1))
    (own_models / ".scales-1-0a0b0c0d.tmp").touch()
    (own_models / "notes.txt").touch()
    assert len(store.prune()) == 3
    assert sorted(own_models.iterdir()) == sorted(
        [*keep, own_models / ".scales-1-0a0b0c0d.tmp", own_models / "notes.txt"]
    )


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


def test_models_are_pulled_from_files_only(entry, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero", tmp_path / "missing", tmp_path / "\0"):
        with pytest.raises(WeightsError):
            Store().pull(entry, path)
