"""A batch into a bucket keeps its records there: any machine goes on, whatever was killed or at work meanwhile."""

import json
import time

import numpy as np
import pytest
from forks import Fork

from .conftest import KEYS, SECRET

pytestmark = pytest.mark.filterwarnings("ignore")  # of clients that are not closed


def outputs(s3, folder="bucket/out"):
    """What is in a folder, by name, without the records."""
    paths = [path for path in s3.find(folder) if "/.scales-batch/" not in path]
    return {path.removeprefix(f"{folder}/"): s3.cat_file(path) for path in paths}


def records(s3, folder="bucket/out"):
    return [path.rsplit("/", 1)[-1] for path in s3.find(f"{folder}/.scales-batch") if not path.endswith("README.txt")]


WORK = ("batch", "s3://bucket/in", "-o", "s3://bucket/out", "-s", "2", "-m", "tiny", "-j", "1")


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


@pytest.mark.parametrize("pictures", ["s3://bucket/in", "s3://bucket/in/*.png", "s3://bucket/i*/**/*.png"])
def test_pictures_are_not_asked_for_one_by_one(s3, run, picture, pictures):
    """Of those that are done, listings tell; a picture in work is opened twice, and its output looked for once."""
    for name in "abc":
        s3.pipe_file(f"bucket/in/{name}.png", picture())
    s3.pipe_file("bucket/in/d.png/note.txt", b"")  # in a folder that is called like a picture
    for done in (0, 3):
        s3.server.requests.clear()
        code, _, err = run("batch", pictures, *WORK[2:])
        assert (code, f"{done} skipped" in err) == (0, True), err
        asked = [(method, path) for method, path in s3.server.requests if path.endswith(".png")]
        inputs = [path for method, path in asked if (method, "/in/" in path) == ("HEAD", True)]
        assert [inputs.count(f"/bucket/in/{name}.png") for name in "abc"] == [2 if done == 0 else 0] * 3
        looked = [path for method, path in asked if (method, "/out/" in path) == ("HEAD", True)]
        assert len(looked) == (0 if done else 9)  # once before the work, twice for what was put
    code, _, err = run("batch", "s3://bucket/in/d*", *WORK[2:])
    assert (code, "only folders match it" in err) == (3, True), err


def test_another_folders_picture_of_the_same_name_is_not_taken_for_the_one_that_is_done(s3, run, picture, enlarged):
    data = {folder: picture() for folder in ("2024", "2025")}
    for folder, content in data.items():
        s3.pipe_file(f"bucket/{folder}/a.png", content)
    work = ("-o", "s3://bucket/out", "-s", "2", "-m", "tiny", "-j", "1")
    assert run("batch", "s3://bucket/2024", *work)[0] == 0
    for _ in range(2):
        code, _, err = run("batch", "s3://bucket/2025", *work)
        assert (code, "1 skipped (1 exists)" in err) == (0, True), err
    assert "1 skipped (1 done before)" in run("batch", "s3://bucket/2024", *work)[2]
    assert outputs(s3) == {"a_x2.png": enlarged(data["2024"])}
    s3.rm_file("bucket/2024/a.png")
    assert run("batch", "s3://bucket/2025", *work)[0] == 0
    assert outputs(s3) == {"a_x2.png": enlarged(data["2025"])}


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


def test_a_batch_of_keys_of_all_kinds(s3, run, picture, enlarged):
    """Into a folder whose name is a pattern, too."""
    data = {key: picture() for key in KEYS}
    for key, content in data.items():
        s3.pipe_file(f"bucket/i[n] 100%/{key}", content)
    work = ("batch", "s3://bucket/i[n] 100%", "-o", "s3://bucket/o u#t/*?é+[1]", *WORK[4:])
    assert run(*work)[0] == 0
    names = {key.replace(".png", "_x2.png"): key for key in KEYS}
    made = outputs(s3, "bucket/o u#t/*?é+[1]")
    assert sorted(made) == sorted(names)
    assert all(content == enlarged(data[names[name]]) for name, content in made.items())
    s3.server.requests.clear()
    code, out, err = run(*work)
    assert (code, out, f"{len(KEYS)} skipped ({len(KEYS)} done before)" in err) == (0, "", True)
    assert not any(f"/{key}" in path for _, path in s3.server.requests for key in KEYS)  # none was asked for


@pytest.mark.parametrize("bucket", ["my bucket", "100%", "a#b", "a+b", "größe", "A", "a?b", "x" * 80])
def test_a_bucket_that_cannot_be_is_said_in_a_line(s3, run, bucket):
    for arguments in ((f"s3://{bucket}/in", "-o", "out"), ("s3://bucket/in", "-o", f"s3://{bucket}/out")):
        s3.pipe_file("bucket/in/a.png", b"x")
        code, _, err = run("batch", *arguments, *WORK[4:])
        assert (code, err.count("\n"), f"s3://{bucket}" in err) == (3 if "out" in arguments else 4, 1, True), err


def test_a_bucket_that_is_busy_and_slow_now_and_then(s3, run, picture, enlarged, rng):
    data = {f"{index}.png": picture() for index in range(3)}
    for name, content in data.items():
        s3.pipe_file(f"bucket/in/{name}", content)

    def tired(method, path):
        time.sleep(0.02 * rng.random())
        return ("SlowDown", 503) if rng.random() < 0.25 else None

    s3.server.fault = tired
    code, _, err = run(*WORK)
    s3.server.fault = lambda method, path: None
    assert code == 0, err
    assert outputs(s3) == {name.replace(".png", "_x2.png"): enlarged(content) for name, content in data.items()}
    assert "3 skipped (3 done before)" in run(*WORK)[2]


def test_an_answer_that_is_lost_is_no_other_object(s3, run, picture):
    """The output was put, the answer came to nothing, and the second try finds it there."""
    s3.pipe_file("bucket/in/a.png", picture())
    lost = []

    def lose(method, path):
        if method == "PUT" and path.endswith("a_x2.png"):
            lost.append(path)
            return ("SlowDown", 503, "after") if len(lost) == 1 else None
        return None

    s3.server.fault = lose
    code, out, err = run(*WORK)
    assert (code, out, len(lost)) == (0, "s3://bucket/out/a_x2.png\n", 2), err
    assert "1 skipped (1 done before)" in run(*WORK)[2]


def denying(*methods, part):
    return lambda method, path: ("AccessDenied", 403) if method in methods and part in path else None


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (denying("PUT", part=""), 4, "s3://bucket/out/.scales-batch: cannot be written: the storage denies access"),
        (denying("PUT", part="_x2.png"), 1, "s3://bucket/out/a_x2.png: cannot be written: the storage denies access"),
        (
            denying("GET", "HEAD", part="out"),
            4,
            "s3://bucket/out/.scales-batch: cannot be listed: the storage denies access",
        ),
        (denying("GET", part="a.png"), 1, "s3://bucket/in/a.png: cannot be read: the storage denies access"),
    ],
    ids=["records", "output", "list", "input"],
)
def test_what_a_storage_refuses_is_said_and_leaves_nothing(s3, run, picture, fault, code, words):
    s3.pipe_file("bucket/in/a.png", picture())
    s3.pipe_file("bucket/out/other.txt", b"other")
    s3.server.fault = fault
    found, out, err = run(*WORK)
    s3.server.fault = lambda method, path: None
    assert (found, out, words in err) == (code, "", True), err
    assert (sorted(outputs(s3)), records(s3)) == (["other.txt"], [])
    assert run(*WORK)[0] == 0


def test_the_region_of_a_bucket_is_found(s3, run, picture, enlarged):
    data = picture()
    s3.pipe_file("bucket/in/a.png", data)
    s3.server.region = "eu-west-1"
    code, _, err = run(*WORK)
    s3.server.region = ""
    s3.clear_instance_cache()  # it knows now
    assert (code, outputs(s3)) == (0, {"a_x2.png": enlarged(data)}), err


@pytest.fixture
def start(s3, tmp_path):
    """A batch in a process of its own."""
    running = []

    def start(*more):
        running.append(Fork("scales_cli.__main__", [*WORK, *more], tmp_path, tmp_path / f"batch-{len(running)}"))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_batch_that_is_killed_anywhere_goes_on(s3, run, start, picture, enlarged, kills):
    """Before or after any of the requests that change the bucket, which are the moments that differ."""
    moments = np.random.default_rng(kills)
    data = {f"{index}.png": picture() for index in range(4)}
    for name, content in data.items():
        s3.pipe_file(f"bucket/in/{name}", content)
    expected = {name.replace(".png", "_x2.png"): enlarged(content) for name, content in data.items()}
    for _ in range(kills):
        if len(outputs(s3)) == len(data):  # something is left to do each time
            s3.rm_file("bucket/out/2_x2.png")
        process, left = start(), [int(moments.integers(2, 7))]
        after = moments.random() < 0.5

        def kill(method, path, process=process, left=left, after=after):
            if method in ("PUT", "DELETE"):
                left[0] -= 1
                if left[0] == 0:
                    process.kill()
                    process.wait_for_forks()
                    return None if after else ("SlowDown", 503)
            return None

        s3.server.fault = kill
        process.wait()
        process.wait_for_forks()
        s3.server.fault = lambda method, path: None
        made = outputs(s3)
        assert all(content == expected[name] for name, content in made.items())  # whole, or not at all
    code, _, err = run(*WORK)
    assert (code, outputs(s3)) == (0, expected), err
    assert "exists" not in err  # all was known to be ours
    assert sorted(name.split(".")[2] for name in records(s3)) == ["done"] * 4
    assert "4 skipped (4 done before)" in run(*WORK)[2]


def test_two_runs_at_once_do_no_harm(s3, run, start, picture, enlarged):
    """By one model, and by two: what is there then is one's, whole, and known to be that one's."""
    data = {f"{index}.png": picture() for index in range(3)}
    for name, content in data.items():
        s3.pipe_file(f"bucket/in/{name}", content)
    expected = {name.replace(".png", "_x2.png"): enlarged(content) for name, content in data.items()}
    twins = [start(), start()]
    assert [twin.communicate(timeout=300)[1].count(b"error") for twin in twins] == [0, 0]
    assert [twin.returncode for twin in twins] == [0, 0]
    assert outputs(s3) == expected
    assert "3 skipped (3 done before)" in run(*WORK)[2]
    rivals = [start("--overwrite"), start("--overwrite", "-m", "base")]
    said = [rival.communicate(timeout=300)[1] for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0], said
    mixed = outputs(s3)
    code, out, _ = run(*WORK)
    assert code == 0
    assert {line.rsplit("/", 1)[-1] for line in out.splitlines()} >= {
        name for name in expected if mixed[name] != expected[name]
    }
    assert outputs(s3) == expected
