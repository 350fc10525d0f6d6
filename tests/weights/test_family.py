"""Names and paths of models, resolved once; how often that costs what."""

import hashlib
import pickle
import tomllib

import pytest
import safetensors
from PIL import Image

from scales_cli.cli.app import main
from scales_cli.errors import WeightsError
from scales_cli.weights import registry
from scales_cli.weights.family import resolve
from scales_cli.weights.preferences import set_default_model
from scales_cli.weights.registry import Registry
from scales_cli.weights.store import Store


def test_resolve_takes_a_path(weights_file):
    path = weights_file(3)
    model = resolve(path).open(3)
    assert model.name == "scales-random-x3"
    assert model.weights.spec.scale == 3
    assert resolve(str(path)).open(3).name == model.name


def test_resolve_refuses_another_scale(weights_file):
    with pytest.raises(WeightsError, match="enlarges by 3") as caught:
        resolve(weights_file(3)).open(2)
    assert "-s 3" in caught.value.hint


def test_resolve_refuses_damaged_files(weights_file, tmp_path):
    data = weights_file(2).read_bytes()
    for bad in (b"", b"junk", data[:100], data[:-1], b"\x80\x04pickle"):
        path = tmp_path / "bad.safetensors"
        path.write_bytes(bad)
        with pytest.raises(WeightsError):
            resolve(path).open(2)
    with pytest.raises(WeightsError, match="no such"):
        resolve(tmp_path / "missing.safetensors").open(2)


@pytest.mark.parametrize("name", ["base", "scales-base-x4", None])
def test_resolve_takes_names_without_a_cache(name, own_models):
    assert resolve(name).open(4).name == "scales-base-x4"
    assert not own_models.parent.exists()


@pytest.mark.parametrize(
    ("name", "hint"), [("tyny", "tiny"), ("scales-bse-x4", "scales-base-x4"), ("qqq", "scales-tiny-x2")]
)
def test_unknown_names_bring_the_nearest_or_all(name, hint):
    with pytest.raises(WeightsError, match="no model") as caught:
        resolve(name).open(4)
    assert hint in caught.value.hint


def test_what_is_no_name_is_a_path(weights_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights_file(3).rename("model.bin")
    assert resolve("model.bin").scales == (3,)
    (tmp_path / "tinny.pth").write_bytes(b"torch")
    (tmp_path / "run").mkdir()
    for name, message in (("tinny.pth", "tinny.pth: unreadable weights file"), ("run", "run: is not a file")):
        with pytest.raises(WeightsError, match=message):
            resolve(name)


def test_a_default_that_is_gone_is_told_from_a_name_that_was_given(tmp_path, monkeypatch):
    monkeypatch.setenv("SCALES_CONFIG", str(tmp_path / "config.toml"))
    set_default_model("gone")
    with pytest.raises(WeightsError, match="the default: no model 'gone'") as caught:
        resolve()
    assert "scales models default auto" in caught.value.hint
    assert resolve("tiny").name == "tiny"


def test_a_size_without_that_scale_names_those_it_has(monkeypatch):
    entries = tuple(entry for entry in registry.load_registry().entries if entry.scale != 3)
    monkeypatch.setattr(registry, "load_registry", lambda: Registry("", entries))
    with pytest.raises(WeightsError, match="does not enlarge by 3") as caught:
        resolve("tiny").open(3)
    assert "2, 4" in caught.value.hint


@pytest.mark.parametrize("name", ["https://example.org/mine.safetensors", "hf:me/mine@v1/mine.safetensors"])
def test_addresses_are_pulled_first(name):
    with pytest.raises(WeightsError) as caught:
        resolve(name).open(4)
    assert "models pull" in caught.value.hint


def test_a_full_name_and_a_file_have_one_scale(weights_file):
    for name, scale in (("scales-tiny-x4", 4), (weights_file(3), 3)):
        found = resolve(name)
        assert found.scales == (scale,)
        with pytest.raises(WeightsError, match=f"{found.name} enlarges by {scale}, not by 2") as caught:
            found.pull(2)
        assert f"-s {scale}" in caught.value.hint
    assert resolve("tiny").scales == (2, 3, 4)


def test_a_copy_in_another_process_opens_the_same_files(weights_file, own_models):
    Store().import_file(weights_file(2), "mine")
    for name in ("tiny", "scales-tiny-x2", "mine", weights_file(2)):
        found = resolve(name)
        digest = found.digest(2)
        copy = pickle.loads(pickle.dumps(found))
        assert (copy.name, copy.scales, copy.pull(2), copy.digest(2)) == (
            found.name,
            found.scales,
            found.pull(2),
            digest,
        )


def test_a_copy_stays_what_it_was_if_the_file_changes(weights_file):
    path = weights_file(2)
    found = resolve(path)
    digest = found.digest(2)
    path.write_bytes(resolve("tiny").pull(2).read_bytes())
    assert resolve(path).digest(2) != digest
    assert pickle.loads(pickle.dumps(found)).digest(2) == digest


@pytest.fixture
def counts(monkeypatch):
    """How often the registry is parsed, model files are hashed, and packed files are read, from here on."""
    found = dict.fromkeys(("parsed", "hashed", "read"), 0)

    def counting(kind, function, where=lambda *arguments: True):
        def call(*arguments, **options):
            found[kind] += where(*arguments)
            return function(*arguments, **options)

        return call

    def is_file(data=b"", *_):
        return len(data) > 50_000  # other than a checksum, which takes in the tensors one by one

    monkeypatch.setattr(tomllib, "loads", counting("parsed", tomllib.loads))
    monkeypatch.setattr(hashlib, "sha256", counting("hashed", hashlib.sha256, is_file))
    monkeypatch.setattr(hashlib, "file_digest", counting("hashed", hashlib.file_digest))
    monkeypatch.setattr(safetensors, "safe_open", counting("read", safetensors.safe_open))
    return found


@pytest.mark.parametrize("command", ["upscale", "batch"])
@pytest.mark.parametrize(("kind", "expected"), [("name", (1, 1, 1)), ("import", (1, 1, 1)), ("file", (0, 0, 1))])
def test_a_model_is_resolved_hashed_and_read_once(command, kind, expected, counts, weights_file, tmp_path, capfd):
    pytest.importorskip("scales_cli.engine._native")
    pictures = [tmp_path / "in" / name for name in ("a.png", "b.png")]
    (tmp_path / "in").mkdir()
    for picture in pictures:
        Image.new("RGB", (12, 9)).save(picture)
    model = weights_file(4)
    if kind == "import":
        Store().import_file(model, "mine")
    name = {"name": "base", "import": "mine", "file": str(model)}[kind]
    counts.update(dict.fromkeys(counts, 0))
    inputs = (
        [str(tmp_path / "in" / name) for name in ("a.png", "b.png")] if command == "upscale" else [str(tmp_path / "in")]
    )
    assert main([command, *inputs, "-o", f"{tmp_path / 'out'}/", "-m", name, "-q"]) == 0
    assert tuple(counts.values()) == expected
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
