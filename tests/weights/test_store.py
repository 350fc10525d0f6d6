import pytest

from scales_cli.errors import WeightsError
from scales_cli.weights import registry, store
from scales_cli.weights.registry import entry_for
from scales_cli.weights.store import find_model


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


@pytest.fixture
def bundled(weights_file, tmp_path, monkeypatch):
    """A registry of one model whose file lies in a folder of its own."""
    path = weights_file(2)
    (tmp_path / "models").mkdir()
    path = path.rename(tmp_path / "models" / path.name)
    entry = entry_for(path)
    monkeypatch.setattr(registry, "registered", lambda: (entry,))
    monkeypatch.setattr(store.resources, "files", lambda package: tmp_path)
    return path


def test_find_model_takes_a_name(bundled):
    assert find_model("random", 2).name == "scales-random-x2"
    assert find_model("scales-random-x2", 2).weights.spec.scale == 2


def test_find_model_checks_the_hash(bundled):
    data = bytearray(bundled.read_bytes())
    data[-1] ^= 1
    bundled.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        find_model("random", 2)


def test_find_model_of_a_missing_file(bundled):
    bundled.unlink()
    with pytest.raises(WeightsError, match="missing"):
        find_model("random", 2)


def test_find_model_of_an_unknown_name(bundled):
    with pytest.raises(WeightsError, match="'randm'") as caught:
        find_model("randm", 2)
    assert "random" in caught.value.hint
