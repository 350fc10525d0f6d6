"""Pictures in a bucket: the same results as from files, whole or not at all, whatever the server does."""

import json
import time

import pytest

from scales_cli.cli.app import main
from scales_cli.storage import objects

from .conftest import SECRET

pytestmark = pytest.mark.filterwarnings("ignore")  # of clients that are not closed

KEYS = ["a b.png", "50%20.png", "h#1.png", "q?x=1&y.png", "p+l us.png", "grün-日本.png", "deep/e [1]/'x'.png"]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs a command; its exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert SECRET not in said.out + said.err
        assert "AKIA" not in said.out + said.err
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


@pytest.fixture
def enlarged(tmp_path, run):
    """What the program makes of a file's bytes."""

    def enlarge(data):
        (tmp_path / "local.png").write_bytes(data)
        assert run("upscale", "local.png", "-s", "2", "-m", "tiny", "-o", "expected.png", "--overwrite")[0] == 0
        return (tmp_path / "expected.png").read_bytes()

    return enlarge


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


@pytest.mark.parametrize("records", [(), ("--manifest", "done.jsonl")], ids=["in the bucket", "in a file"])
def test_batch_from_and_to_a_bucket(s3, run, picture, enlarged, tmp_path, records):
    names = ["a b.png", "x/c#.png", "x/y/ü.png", ".hidden.png", "x/../../../evil.png", "note.txt"]
    data = {name: picture() for name in names}
    for name, content in data.items():
        s3.pipe_file(f"bucket/in/{name}", content)
    work = ("batch", "s3://bucket/in", "-s", "2", "-m", "tiny", "-j", "1", *records)
    code, _, err = run(*work, "-o", "s3://nowhere/large")
    assert (code, "there is no bucket s3://nowhere" in err) == (4, True)
    work = (*work, "-o", "s3://bucket/in/large", "--json")
    code, out, _ = run(*work)
    assert code == 0
    written = [json.loads(line)["output"] for line in out.splitlines()]
    assert sorted(written) == [f"s3://bucket/in/large/{name}_x2.png" for name in ("a b", "x/c#", "x/y/ü")]
    for name in names[:3]:
        assert s3.cat_file(f"bucket/in/large/{name.replace('.png', '_x2.png')}") == enlarged(data[name])
    data["x/c#.png"] = picture(9, 9)
    s3.pipe_file("bucket/in/x/c#.png", data["x/c#.png"])
    s3.server.requests.clear()
    code, out, _ = run(*work)
    assert (code, ["skipped" in line for line in out.splitlines()].count(True)) == (0, 2)
    assert s3.cat_file("bucket/in/large/x/c#_x2.png") == enlarged(data["x/c#.png"])
    put = [path for method, path in s3.server.requests if method == "PUT" and ".scales-batch" not in path]
    assert len(put) == 1
    kept = [s3.cat_file(path) for path in s3.find("bucket/in/large/.scales-batch")]
    kept += [path.read_bytes() for path in tmp_path.glob("*.jsonl")]
    assert len(kept) == (1 if records else 4)
    assert not any(secret in data for data in kept for secret in (SECRET.encode(), b"AKIA"))


def test_batch_from_a_bucket_into_a_folder(s3, run, picture, enlarged, tmp_path):
    data = picture()
    s3.pipe_file("bucket/2024/a.png", data)
    s3.pipe_file("bucket/2024/b.jpg", b"no picture")
    code, _, err = run("batch", "s3://bucket/20*/?.*", "-s", "2", "-m", "tiny", "-j", "1", "-o", "out")
    assert (code, "s3://bucket/2024/b.jpg: " in err) == (1, True)
    assert (tmp_path / "out" / "2024" / "a_x2.png").read_bytes() == enlarged(data)


def test_batch_on_a_cluster_from_and_to_a_bucket(s3, run, picture, enlarged):
    pytest.importorskip("distributed")
    data = {key: picture() for key in KEYS[4:]}
    for key, content in data.items():
        s3.pipe_file(f"bucket/in/{key}", content)
    work = ("batch", "s3://bucket/in", "-o", "s3://bucket/out", "-s", "2", "-m", "tiny", "--scheduler", "local:2")
    code, out, err = run(*work)
    assert (code, len(out.splitlines())) == (0, len(data)), err
    for key, content in data.items():
        assert s3.cat_file(f"bucket/out/{key.replace('.png', '_x2.png')}") == enlarged(content)
    code, out, err = run(*work)
    assert (code, out, f"{len(data)} done before" in err) == (0, "", True)
