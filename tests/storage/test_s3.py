"""Pictures in a bucket: the same results as from files, whole or not at all, whatever the server does."""

import json
import time
from pathlib import Path

import pytest

from scales_cli.storage import objects

from .conftest import KEYS

pytestmark = pytest.mark.filterwarnings("ignore")  # of clients that are not closed


def objects_in(s3):
    return sorted(s3.find("bucket"))


def test_keys_of_all_kinds(s3, run, picture, enlarged):
    data = {key: picture() for key in KEYS}
    for key, content in data.items():
        s3.pipe_file(f"bucket/in/{key}", content)
    inputs = [f"s3://bucket/in/{key}" for key in KEYS]
    code, out, _ = run("upscale", *inputs, "-s", "2", "-m", "tiny", "-o", "s3://bucket/out/")
    assert code == 0
    names = [key.rsplit("/", 1)[-1].replace(".png", "_x2.png") for key in KEYS]
    assert out.splitlines() == [f"s3://bucket/out/{name}" for name in names]
    for key, name in zip(KEYS, names, strict=True):
        assert s3.cat_file(f"bucket/out/{name}") == enlarged(data[key])
    assert s3.info(f"bucket/out/{names[0]}")["ContentType"] == "image/png"


def test_keys_with_an_empty_folder_name_are_told_of_and_read_if_they_are_named(s3, run, picture):
    s3.pipe_file("bucket/photos/", b"")  # which stands for the folder
    keys = ("/a.png", "photos//b.png", "photos/sub//c.png")
    for key in (*keys, "photos/d.png"):
        s3.pipe_file(f"bucket/{key}", picture())
    code, out, err = run("batch", "s3://bucket", "-s", "2", "-m", "tiny", "-j", "1", "-o", "out")
    assert (code, out) == (1, "out/photos/d_x2.png\n")
    for folder in ("s3://bucket//", "s3://bucket/photos//", "s3://bucket/photos/sub//"):
        assert f"{folder}: a folder without a name cannot be listed (give the addresses of its pictures)" in err
    named = [f"s3://bucket/{key}" for key in keys]
    code, out, _ = run("batch", *named, "-s", "2", "-m", "tiny", "-j", "1", "-o", "out")
    assert (code, out.split()) == (0, ["out/a_x2.png", "out/b_x2.png", "out/c_x2.png"])


@pytest.mark.parametrize("pattern", ["photos/**", "photos/**/*.png", "phot*/**/*.png"])
def test_what_a_pattern_matches_below_a_folder_without_a_name_is_told_of(s3, run, picture, tmp_path, pattern):
    """Its place would be one of the root of the file system, outside of the output folder."""
    s3.pipe_file("bucket/photos/d.png", picture())
    s3.pipe_file(f"bucket/photos/{tmp_path}/elsewhere/e.png", picture())
    s3.pipe_file(f"bucket/photos/sub/{tmp_path}/elsewhere/f.png", picture())
    code, _, err = run("batch", f"s3://bucket/{pattern}", "-s", "2", "-m", "tiny", "-j", "1", "-o", "by")
    assert not (tmp_path / "elsewhere").exists()
    assert (code, [path.name for path in Path("by").rglob("*.png")]) == (1, ["d_x2.png"]), err
    for folder in ("s3://bucket/photos//", "s3://bucket/photos/sub//"):
        assert f"{folder}: a folder without a name cannot be listed" in err


def test_results_are_put_beside_their_inputs_and_replaced_only_if_asked(s3, run, picture, enlarged):
    data = picture()
    s3.pipe_file("bucket/a.png", data)
    arguments = ("upscale", "s3://bucket/a.png", "-s", "2", "-m", "tiny", "--json")
    code, out, _ = run(*arguments)
    assert (code, json.loads(out)["output"]) == (0, "s3://bucket/a_x2.png")
    s3.pipe_file("bucket/a_x2.png", b"other")
    code, _, err = run(*arguments)
    assert (code, s3.cat_file("bucket/a_x2.png")) == (4, b"other")
    assert "s3://bucket/a_x2.png: exists (add --overwrite to replace it)" in err
    assert run(*arguments, "--overwrite")[0] == 0
    assert s3.cat_file("bucket/a_x2.png") == enlarged(data)


def test_an_object_that_came_meanwhile_is_left(s3, run, picture):
    s3.pipe_file("bucket/a.png", picture())

    def another(method, path):
        if method == "PUT" and not s3.server.requests.count(("PUT", path)) > 1:
            s3.pipe_file("bucket/b.png", b"other")

    s3.server.fault = another
    code, _, err = run("upscale", "s3://bucket/a.png", "-s", "2", "-m", "tiny", "-o", "s3://bucket/b.png")
    assert (code, s3.cat_file("bucket/b.png")) == (4, b"other"), err
    assert "exists" in err


def test_a_failure_puts_nothing(s3, run, picture):
    s3.pipe_file("bucket/cut.png", picture(200, 100)[:3000])
    s3.pipe_file("bucket/empty.png", b"")
    for name in ("cut", "empty"):
        code, _, err = run("upscale", f"s3://bucket/{name}.png", "-s", "2", "-m", "tiny")
        assert (code, err.count("\n")) == (3, 1)
        assert f"s3://bucket/{name}.png: " in err
    assert objects_in(s3) == ["bucket/cut.png", "bucket/empty.png"]


def test_what_is_missing_or_forbidden_is_said_in_a_line(s3, run, picture):
    s3.pipe_file("bucket/a.png", picture())
    work = ("-s", "2", "-m", "tiny")
    for arguments, code, words in (
        (("s3://bucket/none.png",), 3, "there is no such file or bucket"),
        (("s3://nowhere/a.png",), 3, "there is no such file or bucket"),
        (("s3://bucket/a.png", "-o", "s3://nowhere/a.png"), 4, "there is no bucket s3://nowhere"),
        (("S3://bucket/",), 3, "s3://bucket: cannot be read: it is a folder"),
        (("s3://me:secret@bucket/a.png",), 2, "holds a password"),
        (("s3://",), 2, "names no file"),
        (("ftp://bucket/a.png",), 2, "no storage that is known"),
        (("s3://bucket/a.png", "-o", "https://example.org/a.png"), 4, "the web is only read"),
    ):
        found, _, err = run("upscale", *arguments, *work)
        assert (found, words in err, err.count("\n")) == (code, True, 1), err
        assert "secret" not in err
    s3.server.fault = lambda method, path: ("AccessDenied", 403) if method == "PUT" else None
    code, _, err = run("upscale", "s3://bucket/a.png", *work)
    assert (code, err) == (
        4,
        "scales: error: s3://bucket/a.png: s3://bucket/a_x2.png: cannot be written: the storage denies access "
        "(check what you may write there)\n",
    )
    s3.server.fault = lambda method, path: ("AccessDenied", 403)
    code, _, err = run("upscale", "s3://bucket/a.png", *work)
    assert (code, "s3://bucket/a.png: cannot be read: the storage denies access" in err) == (3, True)
    assert run("batch", "s3://bucket", "-o", "out", *work)[0] == 3


def test_a_server_that_is_busy_and_slow(s3, run, picture, enlarged):
    data = picture()
    s3.pipe_file("bucket/a.png", data)

    def tired(method, path):
        time.sleep(0.03)
        return ("SlowDown", 503) if len(s3.server.requests) % 3 == 1 else None

    s3.server.fault = tired
    assert run("upscale", "s3://bucket/a.png", "-s", "2", "-m", "tiny")[0] == 0
    s3.server.fault = lambda method, path: None
    assert s3.cat_file("bucket/a_x2.png") == enlarged(data)


def test_sizes_are_looked_at_first(s3, run, picture, monkeypatch):
    data = picture()
    s3.pipe_file("bucket/a.png", data)
    monkeypatch.setattr(objects, "MAX_FILE_BYTES", len(data) - 1)
    code, _, err = run("upscale", "s3://bucket/a.png", "-s", "2", "-m", "tiny")
    assert (code, "it has more than" in err) == (3, True)
    assert ("GET", "/bucket/a.png") not in s3.server.requests
