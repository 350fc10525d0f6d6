import errno
import os
from pathlib import Path

import pytest

from scales_cli.errors import UsageError
from scales_cli.weights.family import resolve
from scales_cli.weights.preferences import default_model, set_default_model


def test_the_default_can_be_set(weights_file):
    assert resolve().open(4).name == "scales-base-x4"
    set_default_model("tiny")
    assert default_model() == "tiny"
    assert resolve().open(4).name == "scales-tiny-x4"


def test_settings_may_be_below_the_home_folder(monkeypatch, tmp_path):
    """As the cache and a mirror may: services' variables are not seen by a shell, which would say where that is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCALES_CONFIG", "~/config.toml")
    set_default_model("tiny")
    assert (tmp_path / "home/config.toml").is_file()
    assert default_model() == "tiny"
    assert not (tmp_path / "~").exists()


def test_settings_that_cannot_be_read_are_named(monkeypatch, tmp_path):
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SCALES_CONFIG", str(path))
    for content in ("model = ", "model = 3", 'other = "x"', "\0"):
        path.write_text(content)
        with pytest.raises(UsageError, match=r"config\.toml"):
            default_model()


def test_a_home_that_may_not_be_looked_into_has_no_settings(monkeypatch, tmp_path):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.delenv("SCALES_CONFIG")
    monkeypatch.setattr(Path, "exists", refuse)
    assert default_model() == "auto"
    monkeypatch.setenv("SCALES_CONFIG", str(tmp_path / "config.toml"))
    with pytest.raises(UsageError, match=r"config\.toml: cannot be read: Permission denied$"):
        default_model()


def test_settings_are_a_file(monkeypatch):
    """A device would be read without end, and replaced by a file."""
    for path in ("/dev/zero", "/dev"):
        monkeypatch.setenv("SCALES_CONFIG", path)
        for use in (default_model, lambda: set_default_model("base")):
            with pytest.raises(UsageError, match=path):
                use()


def test_settings_are_short(monkeypatch, tmp_path):
    monkeypatch.setenv("SCALES_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").touch()
    os.truncate(tmp_path / "config.toml", 2**32)
    with pytest.raises(UsageError, match="is too large"):
        default_model()
