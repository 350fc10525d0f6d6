import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scales_cli.errors import OutputError
from scales_cli.system.files import (
    abandoned_files,
    file_identity,
    make_folder,
    remove_abandoned_files,
    replacing,
    temporary_file,
    whole_file,
)


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_replacing_leaves_nothing_behind(tmp_path, error):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    def write():
        with replacing(target) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises((error, OutputError)):
        write()
    assert target.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.png"]


def test_whole_file_raises_the_errors_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "missing" / "a"):
        pass


def test_abandoned_files_are_a_day_old(tmp_path):
    old, fresh, other = (tmp_path / name for name in (".scales-7-0a.tmp", ".scales-8-0b.tmp", "a.tmp"))
    for path in (old, fresh, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (1, 1))
    assert abandoned_files(tmp_path) == [old]
    remove_abandoned_files(tmp_path)
    assert sorted(tmp_path.iterdir()) == [fresh, other]


def test_make_folder_names_what_cannot_be_made(tmp_path):
    make_folder(tmp_path / "a" / "b", "hint")
    make_folder(tmp_path / "a" / "b", "hint")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/b: cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "b", "hint")


def test_file_identity_is_that_of_links(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    os.link(tmp_path / "a", tmp_path / "c")
    assert file_identity(tmp_path / "a") == file_identity(tmp_path / "b") == file_identity(str(tmp_path / "c"))
    assert file_identity(tmp_path / "d") is file_identity("a\0b") is None


def test_a_missing_temporary_folder_is_named(monkeypatch):
    """Not a folder that cannot be found, in the place of the error that is told."""

    def nowhere():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", nowhere)
    with pytest.raises(OutputError, match="no temporary folder") as caught, temporary_file():
        pass
    assert "TMPDIR" in caught.value.hint


@pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="which of Linux's processes wrote it")
def test_files_of_dead_processes_are_abandoned_at_once(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with whole_file(tmp_path / "a"):
        (ours,) = tmp_path.iterdir()
        dead = tmp_path / ours.name.replace(str(os.getpid()), str(child.pid))
        for name in (dead.name, dead.name.replace(dead.name.split("-")[1], "0a1b2c3d")):  # or of another machine
            (tmp_path / name).touch()
        assert abandoned_files(tmp_path) == [dead]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o777])
def test_a_replaced_file_keeps_its_mode(tmp_path, mode):
    target = tmp_path / "a.png"
    target.touch()
    target.chmod(mode)
    with whole_file(target, overwrite=True) as stream:
        assert os.fstat(stream.fileno()).st_mode & 0o777 == mode  # before there is anything to read
        stream.write(b"new")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", mode)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_follows_the_umask(tmp_path, mask):
    previous = os.umask(mask)
    try:
        with whole_file(tmp_path / "a.png") as stream:
            stream.write(b"new")
    finally:
        os.umask(previous)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_replaced_file_keeps_its_owner(tmp_path):
    target = tmp_path / "a.png"
    target.touch()
    os.chown(target, 1234, 4321)
    with whole_file(target, overwrite=True) as stream:
        stream.write(b"new")
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 4321)
