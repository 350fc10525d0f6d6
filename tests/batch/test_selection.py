import errno
import os
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

from scales_cli.batch.selection import Filter, select
from scales_cli.errors import InputError, UsageError
from scales_cli.storage import objects
from scales_cli.storage.address import Address


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder with pictures and with what is none; the names alone matter."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/B.JPG", "in/notes.txt", "in/._a.png", "in/.hidden/c.png", "in/sub/deep/d.tif"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def places(*inputs, output="out", **options):
    return [item.place.as_posix() for item in select(inputs, Filter(), Path(output), **options).items]


def test_select_finds_pictures_by_extension_below_a_folder(tree):
    assert places("in") == ["B.JPG", "a.png", "sub/deep/d.tif"]
    assert places("in", recursive=False) == ["B.JPG", "a.png"]


def test_select_leaves_out_what_is_not_a_file(tree):
    os.mkfifo("in/pipe.png")
    Path("in/folder.png").mkdir()
    Path("in/sub/loop").symlink_to("..")
    Path("in/linked.png").symlink_to("a.png")
    Path("in/dangling.png").symlink_to("nothing.png")
    assert places("in") == ["B.JPG", "a.png", "dangling.png", "linked.png", "sub/deep/d.tif"]


@pytest.mark.parametrize("inputs", [["in"], ["in/**/*.png"], ["in/linked.png", "in/a.png"]])
def test_select_leaves_a_link_that_may_not_be_followed_to_the_work(tree, monkeypatch, inputs):
    Path("in/linked.png").symlink_to("a.png")

    def refusing(method):
        def answer(path):
            if path.name == "linked.png":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return method(path)

        return answer

    for method in ("is_file", "is_dir"):
        monkeypatch.setattr(Path, method, refusing(getattr(Path, method)))
    assert {"a.png", "linked.png"} <= set(places(*inputs))


def test_select_leaves_out_the_output(tree):
    Path("in/out").mkdir()
    Path("in/out/a_x4.png").touch()
    assert "out/a_x4.png" in places("in")
    assert "out/a_x4.png" not in places("in", output="in/out")
    assert "out/a_x4.png" not in places("in/**/*.png", output="in/out")
    with pytest.raises(UsageError, match="output folder"):
        places("in", output="in/sub/..")


def test_select_takes_patterns_below_the_output(tree):
    """As it takes a folder there; but not one that is the output itself, whose results would be its next inputs."""
    for output in (".", "..", str(tree)):
        assert places("in/*.png", "in/sub/**/*", output=output) == [*places("in/a.png", output=output), "deep/d.tif"]
    for pattern in ("in/*.png", "in/**/*.tif"):
        with pytest.raises(UsageError, match="in is the output folder"):
            places(pattern, output="in")


@pytest.mark.parametrize("name", ["in/**x.png", "in/x**/*.png", "memory://bucket/in/**x.png"])
def test_select_refuses_what_is_no_pattern(tree, name):
    with pytest.raises(UsageError, match="stands for whole folders only"):
        places(name)


@pytest.mark.skipif(sys.platform != "linux", reason="paths are as long only there")
def test_select_goes_only_as_deep_as_python_does(tree):
    """What lies above is done all the same."""
    top = Path.cwd()
    os.chdir("in/sub")
    for _ in range(1200):
        os.mkdir("d")  # noqa: PTH102 (Path.mkdir is slow with this many)
        os.chdir("d")
    Path("a.png").touch()
    os.chdir(top)
    try:
        for name, found in (("in", ["B.JPG", "a.png", "sub/deep/d.tif"]), ("in/**/*.png", ["a.png"])):
            selection = select([name], Filter(), Path("out"))
            assert [item.place.as_posix() for item in selection.items] == found
            ((folder, error),) = selection.failures
            assert "more folders than there can be" in error.message
        assert places(f"{folder}/{'d/' * 900}")[-1].endswith("d/a.png")
    finally:
        subprocess.run(["rm", "-r", "in/sub/d"], check=True)  # as pytest calls itself for each level


@pytest.fixture
def bucket():
    """A folder in memory that is asked through fsspec, as any storage is, with a result of an earlier run."""
    fsspec = pytest.importorskip("fsspec")
    name = "selection/in"
    for path in ("a.png", "sub/b.png", "large/a_x4.png", "larger/c.png"):
        fsspec.filesystem("memory").pipe_file(f"/{name}/{path}", b"")
    return f"memory://{name}"


@pytest.mark.parametrize(
    ("pattern", "output", "found"),
    [
        ("**/*.png", "/large", ["a.png", "larger/c.png", "sub/b.png"]),
        ("*/*.png", "/large", ["larger/c.png", "sub/b.png"]),
        ("sub/*.png", "", ["b.png"]),
        ("sub/*.png", "/..", ["b.png"]),
    ],
)
def test_select_leaves_out_the_output_of_a_pattern_in_a_storage(bucket, pattern, output, found):
    address = Address.parse(bucket + output) if output != "/.." else Address.parse(bucket).parent
    assert [item.place.as_posix() for item in select([f"{bucket}/{pattern}"], Filter(), address).items] == found


def test_select_tells_of_keys_with_an_empty_folder_name(bucket):
    """No storage lists such a folder, but what is in it can be named."""
    fsspec = pytest.importorskip("fsspec")
    root = bucket.replace("selection", "nameless")
    for path in ("a.png", "/b.png", "sub/c.png", "sub//d.png"):
        fsspec.filesystem("memory").pipe_file(f"/nameless/in/{path}", b"")
    selection = select([root], Filter(), Path("out"))
    assert [item.place.as_posix() for item in selection.items] == ["a.png", "sub/c.png"]
    assert [error.message.split(": ")[0] for _, error in selection.failures] == [f"{root}//", f"{root}/sub//"]
    assert not select([root], Filter(), Path("out"), recursive=False).failures
    (item,) = select([f"{root}/sub//d.png"], Filter(), Path("out")).items
    assert item.url == f"{root}/sub//d.png"


def test_select_refuses_a_pattern_of_the_output_in_a_storage(bucket):
    with pytest.raises(UsageError, match="is the output folder"):
        select([f"{bucket}/*.png"], Filter(), Address.parse(bucket))


def test_select_takes_patterns_and_files(tree):
    assert places("in/*.png") == ["a.png"]
    assert places("in/**/*.tif") == ["sub/deep/d.tif"]
    assert places("in/notes.txt", "in/a.png", "in/a.png") == ["notes.txt", "a.png"]
    Path("in/[1].png").touch()
    assert places("in/[1].png") == ["[1].png"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("in/*/*.png", ["link/e.png", "sub/c.png"]),
        ("in/**/*.png", ["a.png", "sub/c.png", "sub/deep/b.png"]),
        ("in/**/**/b.png", ["sub/deep/b.png"]),
        ("in/s*/**/deep/*", ["sub/deep/b.png", "sub/deep/d.tif"]),
        ("in/**/sub/**", ["sub/c.png", "sub/deep/b.png", "sub/deep/d.tif"]),
        ("*/[ab].[!t]*", ["in/a.png"]),
    ],
)
def test_select_matches_as_shells_do(tree, pattern, found):
    """Links to folders are followed by what is a wildcard for one folder, not by **."""
    for name in ("in/sub/deep/b.png", "in/sub/c.png", "elsewhere/e.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    Path("in/link").symlink_to("../elsewhere")
    assert places(pattern) == found


@pytest.mark.parametrize(("name", "message"), [("in/*.gif", "nothing"), ("no/*.png", "nothing"), ("in/su*", "only")])
def test_select_refuses_a_pattern_that_matches_no_file(tree, name, message):
    with pytest.raises(InputError, match=f"{message}.* it"):
        places(name)


@pytest.mark.parametrize("name", ["in", "in/*/*.tif", "in/**/*"])
def test_select_tells_of_folders_that_it_cannot_read(tree, monkeypatch, name):
    """And finds what is beside them."""
    scan = os.scandir

    def refusing(folder):
        if Path(folder).name == "shut":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scan(folder)

    Path("in/shut").mkdir()
    Path("in/wide").mkdir()
    Path("in/wide/w.tif").touch()
    monkeypatch.setattr(os, "scandir", refusing)
    selection = select([name], Filter(), Path("out"))
    assert [folder.as_posix() for folder, _ in selection.failures] == ["in/shut"]
    assert selection.items[-1].place == PurePath("wide/w.tif")


def test_select_knows_the_names_of_all_it_reads(tree):
    for name in ("a.pbm", "b.MPO", "c.apng", "d.avifs"):
        Path("in/sub", name).touch()
    assert places("in/sub/*") == ["a.pbm", "b.MPO", "c.apng", "d.avifs"]
    assert places("in/sub") == ["a.pbm", "b.MPO", "c.apng", "d.avifs", "deep/d.tif"]


def test_select_tells_pictures_of_kinds_that_are_not_read(tree):
    for name in ("a.psd", "b.CR2", "sub/c.jxr", "d.pdf", ".e.psd"):
        Path("in", name).touch()
    for inputs in (["in"], ["in/**/*"]):
        selection = select(inputs, Filter(), Path("out"))
        assert [item.place.as_posix() for item in selection.unread] == ["a.psd", "b.CR2", "sub/c.jxr"]
        assert all(item.source.suffix in (".png", ".JPG", ".tif") for item in selection.items)
    assert places("in/a.psd") == ["a.psd"]  # which is tried, as it was named
    for names in (("in", "in/a.psd"), ("in/a.psd", "in"), ("in", "in/../in/a.psd", "in/a.psd")):
        both = select(names, Filter(), Path("out"))
        assert [item.place.name for item in both.items].count("a.psd") == 1
        assert "a.psd" not in [item.place.name for item in both.unread]


@pytest.mark.parametrize(
    "folder", ["@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", ".thumbnails", "iPod Photo Cache"]
)
def test_select_leaves_out_what_systems_put_into_folders(tree, folder):
    Path("in/sub", folder).mkdir()
    Path("in/sub", folder, "a.png").touch()
    assert places("in") == ["B.JPG", "a.png", "sub/deep/d.tif"]
    assert places("in/**/*.png") == ["a.png"]


@pytest.mark.parametrize(("name", "reason"), [("in/s*", "only folders match it"), ("x" * 5000, "File name too long")])
def test_select_says_why_it_finds_nothing(tree, name, reason):
    with pytest.raises(InputError, match=reason):
        places(name)


@pytest.mark.parametrize(("name", "error"), [("missing", InputError), ("in/*.gone", InputError), ("-", UsageError)])
def test_select_refuses_what_names_nothing(tree, name, error):
    with pytest.raises(error):
        places(name)


@pytest.mark.parametrize(
    ("include", "exclude", "accepted"),
    [
        ((), (), True),
        (("*.tif",), (), True),
        (("*.png",), (), False),
        (("sub/*",), (), True),
        ((), ("deep",), False),
        ((), ("sub/deep/*",), False),
        ((), ("*.TIF",), True),
        *(((), (spelling,), False) for spelling in ("deep/", "./sub/*", "/sub/*", "sub/deep", "./sub/deep/", "./sub")),
        *(((), (spelling,), True) for spelling in ("sub/dee", "deep/d.tif", "/", "./", "")),
        (("sub/deep/",), (), True),
    ],
)
def test_filter_accepts_by_name_or_place(include, exclude, accepted):
    chosen, place = Filter(include, exclude), PurePath("sub/deep/d.tif")
    assert (chosen.includes(place) and not chosen.excluding(place)) == accepted


def test_select_does_not_look_into_folders_that_are_excluded(tree, monkeypatch):
    """As one may be unreadable, or large."""
    looked, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looked.append(Path(folder).name) or scandir(folder))
    for pattern in ("sub", "sub/", "s*"):
        items = select(["in"], Filter((), [pattern]), Path("out")).items
        assert [item.place.name for item in items] == ["B.JPG", "a.png"]
    select(["in"], Filter((), ["sub/deep"]), Path("out"))
    assert looked == ["in", "in", "in", "in", "sub"]


def test_select_knows_what_excluded_nothing(tree):
    patterns = ["sub", "*.png", "a.*", "b.*", "in/sub"]
    assert select(["in"], Filter((), patterns), Path("out")).idle == ["b.*", "in/sub"]


def test_select_does_not_list_folders_that_are_excluded_in_a_storage(bucket, monkeypatch):
    looked, entries_of = [], objects.entries_of
    monkeypatch.setattr(objects, "entries_of", lambda folder: looked.append(folder.name) or entries_of(folder))
    select([bucket], Filter((), ["sub/", "./large"]), Path("out"))
    assert looked == ["in", "larger"]


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_select_reports_unreadable_folders(tree):
    Path("in/sub").chmod(0)
    selection = select(["in"], Filter(), Path("out"))
    Path("in/sub").chmod(0o755)
    assert [folder for folder, _ in selection.failures] == [Path("in/sub")]


@pytest.mark.parametrize("installed", [True, False])
def test_select_reads_what_extras_read_if_they_are_installed(tree, monkeypatch, installed):
    monkeypatch.setattr("scales_cli.imaging.formats.is_installed", lambda library: installed)
    for name in ("a.heic", "b.JXL"):
        Path("in/sub", name).touch()
    selection = select(["in/sub"], Filter(), Path("out"))
    found = [item.place.as_posix() for item in (selection.items if installed else selection.unread)]
    assert [name for name in found if "deep" not in name] == ["a.heic", "b.JXL"]
