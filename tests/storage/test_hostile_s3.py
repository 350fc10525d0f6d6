"""Listings that lie, and keys that are made to do harm: nothing is written elsewhere, and nothing has no end."""

import os
import time
from pathlib import Path

import pytest

from scales_cli.storage.budget import Patience

from .conftest import Answer

pytestmark = pytest.mark.filterwarnings("ignore")  # of clients that are not closed

WORK = ("-s", "2", "-m", "tiny", "-j", "1")


def files(folder="."):
    return sorted(os.fsdecode(path.relative_to(folder)) for path in Path(folder).rglob("[!.]*") if path.is_file())


def listed(key, size=100, time="2020-02-02T20:20:02.000Z"):
    return f"<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{time}</LastModified></Contents>"


def folder(prefix):
    return f"<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"


def test_listings_lead_nowhere_else(s3, run, picture):
    """Names of other folders, such as mean others to a file system, and such as steer a terminal."""
    s3.pipe_file("bucket/elsewhere/a.png", picture())
    keys = (
        "elsewhere/a.png",
        "in/../../up.png",
        "in/sub/../../../up.png",
        "../up.png",
        "/etc/up.png",
        "in/..",
        "in/%1B[31m%0A.png",
    )
    folders = folder("in/../") + folder("..") + "<EncodingType>url</EncodingType>"
    s3.server.lie = lambda query: "".join(map(listed, keys)) + folders
    code, _, err = run("batch", "s3://bucket/in", "-o", "out/below", *WORK)
    assert code == 1  # as there is but one of these
    assert files() == ["out/below/a_x2.png"], err
    assert r"s3://bucket/in/\x1b[31m\n.png: cannot be read: " in err
    assert "\x1b" not in err


def test_folders_in_folders_have_an_end(s3, run):
    """Where a server has them go on."""
    s3.server.lie = lambda query: folder(f"{query['prefix']}{'n' * 100}/")
    code, out, err = run("batch", "s3://bucket/n", "-o", "out", *WORK)
    assert (code, out) == (1, "")
    assert "n...: lies in more folders than there can be (ask whose storage it is)" in err


@pytest.mark.slow
def test_folders_in_folders_are_read(s3, run, picture):
    """As many as a key has room for."""
    s3.pipe_file(f"bucket/{'d/' * 500}a.png", picture())
    code, out, err = run("batch", "s3://bucket/d", "-o", "out", *WORK)
    assert (code, len(out.splitlines())) == (0, 1), err


@pytest.mark.parametrize(
    ("size", "time"), [("abc", "2020-02-02T20:20:02.000Z"), (-5, "9999-12-31T23:59:59.000Z"), (10**30, "never")]
)
def test_listings_that_make_no_sense(s3, run, picture, size, time):
    """Are refused in a line, or of no account: what is read is what there is."""
    s3.pipe_file("bucket/in/a.png", picture())
    s3.server.lie = lambda query: listed("in/a.png", size, time)
    code, out, err = run("batch", "s3://bucket/in", "-o", "out", *WORK)
    assert (code, len(out.splitlines())) in ((0, 1), (3, 0)), err
    assert "unexpected" not in err


@pytest.mark.parametrize("forged", [b"[" * 10_000, b" " * 2**17 + b"{}"], ids=len)
def test_records_that_are_forged_are_none(s3, run, forged):
    """What failed is tried again, whatever they hold; of what is longer than any, the beginning is read."""
    s3.pipe_file("bucket/in/a.png", b"no picture")
    arguments = ("batch", "s3://bucket/in", "-o", "s3://bucket/out", *WORK)
    first = run(*arguments)
    (record,) = (path for path in s3.find("bucket/out") if ".failed" in path)
    s3.pipe_file(record, forged)
    code, _, err = run(*arguments)
    assert (code, "failed before" in err) == (first[0], False)
    assert err.count("a.png: not a picture") == 1, err


def test_answers_are_read_no_further_than_was_asked(s3, run, picture):
    """Ranges as long as they are, and listings as long as they can be: 3 GiB for 1 MB took 6 GiB of memory."""
    s3.pipe_file("bucket/a.png", picture())
    s3.server.fault = lambda method, path: Answer("206 Partial Content", bytes(2**20)) if method == "GET" else None
    code, _, err = run("upscale", "s3://bucket/a.png", "-s", "2", "-m", "tiny")
    assert code == 3
    assert "a.png: cannot be read: the storage sends more than it was asked for (ask whose storage it is)\n" in err
    s3.server.fault = lambda method, path: None
    s3.server.lie = lambda query: listed("n" * 1000) * 8000
    code, _, err = run("batch", "s3://bucket/in", "-o", "out", *WORK)
    assert (code, files()) == (3, [])
    assert "bucket/in: cannot be read: the storage sends more than it was asked for" in err


def test_answers_that_trickle_are_given_up(s3, run, picture, monkeypatch):
    """A byte now and then is not silence, and would have no end."""
    answers = pytest.importorskip("scales_cli.storage.answers")
    monkeypatch.setattr(answers, "PATIENCE", Patience(start=0.4, rate=2**23))
    s3.pipe_file("bucket/a.png", data := picture())
    s3.server.fault = lambda method, path: Answer("206 Partial Content", data, pause=0.1) if method == "GET" else None
    began = time.monotonic()
    code, _, err = run("upscale", "s3://bucket/a.png", "-s", "2", "-m", "tiny")
    assert (code, time.monotonic() - began < 15) == (3, True)
    assert "a.png: cannot be read: the storage is too slow (try again later)\n" in err
