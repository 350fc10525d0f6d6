"""Names and kinds of files that are hard on programs: each is taken or refused in a line, and nothing else changes."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from scales_cli.cli.app import main
from scales_cli.imaging.files import probe_image

pytestmark = pytest.mark.usefixtures("forked")


def tree(folder="."):
    """What lies below a folder: contents of files, texts of links, and kinds of the rest."""
    found = {}
    for path in Path(folder).rglob("*"):
        if path.is_symlink():
            found[os.fspath(path)] = path.readlink()
        else:
            found[os.fspath(path)] = path.read_bytes() if path.is_file() else path.lstat().st_mode
    return found


def test_upscale_takes_hostile_names(upscale, folder, hostile_name):
    """As input and as output, in lines of text and of JSON."""
    Path("a.png").rename(hostile_name)
    code, out, err = upscale("--", hostile_name)
    assert (code, err) == (0, "")
    (written,) = {path.name for path in folder.iterdir()} - {hostile_name}
    assert out == os.fsencode(written) + b"\n"
    assert written == f"{hostile_name.removesuffix('.png')[:248]}_x2.png"
    code, out, err = upscale("--", hostile_name)
    assert (code, out, err.count("\n")) == (4, b"", 1)
    assert err.rstrip("\n").isprintable()
    code, out, _ = upscale("--json", "-o", hostile_name, "--overwrite", "--", written)
    assert (code, json.loads(out)["output"]) == (0, hostile_name)
    assert probe_image(Path(hostile_name)).width == 48
    assert len(list(folder.iterdir())) == 2


SPECIAL = {
    "loop.png": lambda path: path.symlink_to(path.name),
    "chain.png": lambda path: (path.symlink_to("chain2.png"), Path("chain2.png").symlink_to("chain.png")),
    "dangling.png": lambda path: path.symlink_to("missing/a.png"),
    "pipe.png": os.mkfifo,
    "socket.png": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    "device.png": lambda path: path.symlink_to("/dev/zero"),
    "folder.png": lambda path: path.mkdir(),
    "file.png/a.png": lambda path: Path("file.png").write_bytes(b""),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the socket, which nobody closes
@pytest.mark.parametrize("name", SPECIAL)
def test_upscale_of_what_is_no_file(upscale, name):
    SPECIAL[name](Path(name))
    before = tree()
    code, out, err = upscale(name)
    assert (code, out, err.count("\n")) == (3, b"", 1)
    assert err.startswith(f"scales: error: {name}: ")
    assert tree() == before


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", [name for name in SPECIAL if name not in ("loop.png", "chain.png", "dangling.png")])
def test_upscale_into_what_is_no_file(upscale, name):
    SPECIAL[name](Path(name))
    before = tree()
    code, out, err = upscale("a.png", "-o", name)
    if name == "folder.png":  # which is one to write into
        assert (code, out) == (0, b"folder.png/a_x2.png\n")
        return
    assert (code, out, err.count("\n")) == (4, b"", 1)
    assert tree() == before


@pytest.mark.parametrize("name", ["loop.png", "dangling.png", "device.png", "outside.png"])
def test_upscale_replaces_links_and_not_what_they_name(upscale, name):
    Path("elsewhere").mkdir()
    Path("elsewhere/b.png").write_bytes(b"precious")
    SPECIAL.get(name, lambda path: path.symlink_to("elsewhere/b.png"))(Path(name))
    before = tree()
    assert upscale("a.png", "-o", name)[0] == 4
    assert tree() == before
    assert upscale("a.png", "-o", name, "--overwrite")[0] == 0
    assert not Path(name).is_symlink()
    after = tree()
    assert {path for path in after if after[path] != before.get(path)} == {name}


@pytest.mark.parametrize("name", ["./a.png", "sub/../a.png", "hard.png", "soft.png", "linked/a.png"])
def test_upscale_never_writes_its_input(upscale, folder, name):
    Path("sub").mkdir()
    os.link("a.png", "hard.png")
    Path("soft.png").symlink_to("a.png")
    Path("linked").symlink_to(folder)
    before = Path("a.png").read_bytes()
    for arguments in (("a.png", "-o", name), (name, "-o", "a.png")):
        code, out, err = upscale(*arguments, "--overwrite")
        assert (code, out) == (4, b"")
        assert "is the input" in err
    assert Path("a.png").read_bytes() == before


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_batch_of_a_hostile_tree(folder, model, capfdbinary):
    """Links to pictures are taken, dangling ones reported, all else is left out; outputs stay in their folder."""
    Path("secret").mkdir()
    shutil.copy("a.png", "secret/b.png")
    Path("in/deep.png").mkdir(parents=True)
    shutil.copy("a.png", "in/deep.png/a.png")
    os.chdir("in")
    for name, make in SPECIAL.items():
        if name not in ("folder.png", "file.png/a.png"):
            make(Path(name))
    os.chdir("..")
    Path("in/out.png").symlink_to("../secret/b.png")
    Path("in/up").symlink_to("..")
    Path("in/deep.png/loop").symlink_to(".")
    Path("in/tree").symlink_to(folder / "secret")
    before = tree()
    code = main(["batch", "in", "-o", "out", "-s", "2", "-m", model, "-j", "1"])
    out, err = capfdbinary.readouterr()
    assert code == 1
    assert sorted(out.splitlines()) == [b"out/deep.png/a_x2.png", b"out/out_x2.png"]
    failed = {line.split(": ")[2] for line in err.decode().splitlines() if line.startswith("scales: error: in/")}
    assert failed == {"in/loop.png", "in/chain.png", "in/chain2.png", "in/dangling.png"}
    after = tree()
    assert {path: after[path] for path in before} == before
    assert all(path == "out" or path.startswith("out/") for path in set(after) - set(before))


@pytest.mark.parametrize("overwrite", [False, True])
def test_batch_replaces_links_in_its_output(folder, model, overwrite, capfdbinary):
    Path("in").mkdir()
    Path("a.png").rename("in/a.png")
    Path("out").mkdir()
    Path("mine").write_bytes(b"precious")
    Path("out/a_x2.png").symlink_to("../mine")
    code = main(["batch", "in", "-o", "out", "-s", "2", "-m", model, "-j", "1", *["--overwrite"] * overwrite])
    capfdbinary.readouterr()
    assert code == 0
    assert Path("mine").read_bytes() == b"precious"
    assert Path("out/a_x2.png").is_symlink() != overwrite


@pytest.mark.skipif(os.name == "nt", reason="there it cannot be removed")
def test_a_working_folder_that_was_removed_is_named(folder, model, capsys):
    here = Path.cwd()
    gone = here / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        code = main(["batch", f"{here / 'a.png'}", "-o", f"{here / 'out'}", "-s", "2", "-m", model])
    finally:
        os.chdir(here)
    assert code == 2
    assert capsys.readouterr().err == "scales: error: the working folder was removed (go to another one)\n"
