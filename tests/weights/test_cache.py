"""Folders that cannot be used: a message that names the remedy."""

import contextlib
import errno
import os
import pwd
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from unittest.mock import Mock

import pytest

from scales_cli.errors import WeightsError
from scales_cli.weights.cache import Cache
from scales_cli.weights.store import Store


def refuse(function, *arguments):
    with pytest.raises(WeightsError) as caught:
        function(*arguments)
    assert "SCALES_CACHE" in caught.value.hint


def test_a_folder_that_cannot_be_made(weights_file, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    for folder in ("/proc/scales", tmp_path / "file", tmp_path / "file" / "below", "/dev/null", tmp_path / ("x" * 300)):
        monkeypatch.setenv("SCALES_CACHE", str(folder))
        refuse(Store().import_file, weights_file(2), "mine")


def test_a_folder_that_may_not_be_written(weights_file, monkeypatch, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    tmp_path.chmod(0o500)
    monkeypatch.setenv("SCALES_CACHE", str(tmp_path))
    refuse(Store().import_file, weights_file(2), "mine")


def test_no_home(monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("SCALES_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    refuse(Cache)


def test_a_full_disk(weights_file, own_models):
    code = """
        import resource, sys
        from scales_cli.errors import OutputError
        from scales_cli.weights.store import Store
        from pathlib import Path
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            Store().import_file(Path(sys.argv[1]), "mine")
        except OutputError as error:
            print(error.message, error.hint)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(code), weights_file(2)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=True)
    assert "SCALES_CACHE" in result.stdout
    assert "File too large" in result.stdout
    assert list(own_models.iterdir()) == []


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_file_is_refused_and_not_opened(kind, weights_file, own_models, server, monkeypatch):
    store = Store()
    file, tiny = weights_file(2), store.find("scales-tiny-x4")
    mine = store.import_file(file, "mine")
    published = store.cache.path(tiny.name, tiny.sha256)
    mine.unlink()
    with contextlib.ExitStack() as stack:
        for path in (mine, published):
            put(kind, path, stack)
        monkeypatch.setenv("SCALES_MIRROR", server.url)
        for attempt in (
            lambda: store.import_file(file, "mine"),
            lambda: store.obtain(tiny),
            store.find("mine").check,
        ):
            with pytest.raises(WeightsError, match="is not a file") as caught:
                attempt()
            assert "remove it" in caught.value.hint
        assert [str(error) for _, path, error in store.verify() if path in (mine, published)] == [
            f"{mine}: is not a file",
            f"{published}: is not a file",
        ]
        if kind == "folder":
            with pytest.raises(WeightsError, match="is a folder"):
                store.prune()
        else:
            assert sorted(store.prune()) == [mine, published]
        assert server.requests == []


def test_what_cannot_be_read_right_now_is_not_removed(weights_file, own_models, monkeypatch):
    """As of another user, or of a share that is away: it may be whole, and nobody has it elsewhere."""
    store = Store()
    mine = store.import_file(weights_file(2), "mine")
    for number in (errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE):
        with monkeypatch.context() as patch:
            patch.setattr(
                "scales_cli.weights.cache.open_regular", Mock(side_effect=OSError(number, os.strerror(number)))
            )
            assert store.prune() == []
            assert [str(error) for _, path, error in store.verify() if path == mine] == [
                f"{mine}: cannot be read: {os.strerror(number)}"
            ]
    assert store.prune() == []
    assert mine.is_file()


def put(kind, path, stack):
    """Makes what is no file, for as long as the stack is open."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        stack.enter_context(contextlib.chdir(path.parent))  # as the names of sockets have to be short
        stack.enter_context(socket.socket(socket.AF_UNIX)).bind("s")
        Path("s").rename(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


def test_a_relative_folder_is_of_the_place_where_the_program_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALES_CACHE", "here")
    assert Cache().folder == tmp_path / "here" / "models"
