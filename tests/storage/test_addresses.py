"""Addresses that need no server of S3: of the web, in memory, and of storages whose library is missing."""

import importlib.util
import json

import pytest

from scales_cli.cli.app import main
from scales_cli.errors import UsageError
from scales_cli.storage import objects
from scales_cli.storage.address import Address
from scales_cli.storage.objects import status_of


def test_an_address_is_as_it_is_written():
    address = Address.parse("s3://bucket/a b/c%20#?+.png")
    assert (address.name, address.suffix, str(address.parent)) == ("c%20#?+.png", ".png", "s3://bucket/a b")
    assert str(address.parent / "x" / "y.png") == "s3://bucket/a b/x/y.png"
    assert (address.parent / "x/y.png").relative_to(address.parent).as_posix() == "x/y.png"
    with pytest.raises(ValueError, match="not below"):
        Address.parse("s3://bucket/ab").relative_to(Address.parse("s3://bucket/a"))


@pytest.mark.parametrize("name", ["a.png", "./s3://a", "C:\\a.png", "a:b/c", "/s3://x"])
def test_paths_are_no_addresses(name):
    assert Address.parse(name) is None


@pytest.mark.parametrize("name", ["s3://", "s3:///", "ftp://a/b", "file:///a", "https://me:secret@host/a"])
def test_addresses_that_cannot_be_meant(name):
    with pytest.raises(UsageError) as caught:
        Address.parse(name)
    assert "secret" not in str(caught.value)


def test_what_may_be_a_key_is_not_shown():
    address = Address.parse("https://host/a.png?signature=secret")
    assert address.url == "https://host/a.png?signature=secret"
    assert "secret" not in f"{address} {address!r} {address.name} {address.parent}"


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_a_library_that_is_missing_is_named(scheme, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["upscale", f"{scheme}://bucket/a.png", "-s", "2", "-m", "tiny"]) == 2
    assert "pip install" in capsys.readouterr().err


def test_pictures_of_the_web_are_read(server, tmp_path, monkeypatch, capsys, picture):
    monkeypatch.chdir(tmp_path)
    data = picture()
    (tmp_path / "a.png").write_bytes(data)

    def answer(handler):
        known = handler.path == "/a%20b.png?signature=secret"
        handler.send_response(200 if known else 404)
        handler.send_header("Content-Length", str(len(data) if known else 0))
        handler.end_headers()
        if known:
            handler.wfile.write(data)

    server.answer = answer
    address = f"{server.url}/a%20b.png?signature=secret"
    assert main(["upscale", address, "-s", "2", "-m", "tiny", "-o", "b.png", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["input"] == f"{server.url}/a%20b.png?..."
    assert main(["upscale", "a.png", "-s", "2", "-m", "tiny"]) == 0
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a_x2.png").read_bytes()
    assert main(["upscale", f"{server.url}/none.png?signature=secret", "-s", "2", "-o", "c.png"]) == 3
    assert main(["upscale", address, "-s", "2", "-m", "tiny"]) == 2
    said = capsys.readouterr()
    assert "404 Not Found" in said.err
    assert "give a file or a folder to -o" in said.err
    assert "secret" not in said.err


def test_pictures_in_memory(monkeypatch, tmp_path, picture):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.chdir(tmp_path)
    system = fsspec.filesystem("memory")
    system.pipe_file("/folder/a b.png", picture())
    assert main(["upscale", "memory://folder/a b.png", "-s", "2", "-m", "tiny", "-o", "memory://folder/out/"]) == 0
    assert [path for path in system.find("/folder") if "out" in path] == ["/folder/out/a b_x2.png"]


def test_pages_in_memory(monkeypatch, tmp_path, picture, capsys):
    """Beside their pictures, or where they are sent."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.chdir(tmp_path)
    system = fsspec.filesystem("memory")
    system.pipe_file("/pages/a.png", picture())
    command = ["compare", "memory://pages/a.png", "-s", "2", "-m", "tiny"]
    assert main(command) == 0
    assert main(command) == 4  # it exists
    assert main([*command, "-o", "memory://pages/out/"]) == 0
    assert main([*command, "-o", "memory://pages/b.html"]) == 0
    written = [path for path in system.find("/pages") if path.endswith(".html")]
    assert written == ["/pages/a_compare.html", "/pages/b.html", "/pages/out/a_compare.html"]
    assert system.cat_file("/pages/b.html").startswith(b"<!doctype html>")
    assert not list(tmp_path.iterdir())


def test_a_full_temporary_folder_is_not_the_servers_fault(server, tmp_path, monkeypatch, capsys, picture):
    resource = pytest.importorskip("resource")
    monkeypatch.chdir(tmp_path)
    data = picture() + bytes(2**20)

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    server.answer = answer
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, before[1]))
    try:
        code = main(["upscale", f"{server.url}/a.png", "-s", "2", "-m", "tiny", "-o", "b.png"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err
    assert code == 4
    assert "File too large" in said
    assert "TMPDIR" in said


def test_a_picture_of_the_web_always_counts_as_new():
    address = Address.parse("https://host/a.png")
    assert status_of(address).st_mtime_ns < status_of(address).st_mtime_ns


def test_what_another_run_replaces_at_once_is_put_again(tmp_path, monkeypatch):
    """But only then: a storage that has nothing of it would never have it."""
    target, file, seen = Address.parse("memory://bucket/large.png"), tmp_path / "large.png", []
    file.write_bytes(b"ours")
    look = objects.status_of

    def replaced(address):
        if len(seen) < rivals:
            objects.put_bytes(address, b"another's")
        seen.append(address)
        return look(address)

    monkeypatch.setattr(objects, "status_of", replaced)
    rivals = 1
    objects.put(target, file, overwrite=True)
    with objects.reading(target) as stream:
        assert stream.read() == b"ours"
    rivals = 9
    with pytest.raises(OSError, match="says it has it"):
        objects.put(target, file, overwrite=True)
    objects.remove(target)
