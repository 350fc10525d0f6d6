"""`scales batch` from the command line, on small pictures."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.cli import batch_view
from scales_cli.cli.app import main


@pytest.fixture
def pictures(folder, rng):
    """in/ with five pictures of several formats in two folders; the working folder is its parent."""
    for name in ("in/a.png", "in/b.jpg", "in/sub/a.png", "in/sub/c.tif", "in/sub/n\udcff %[i].bmp"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(os.fsencode(name))
    return Path("in")


@pytest.fixture
def batch(pictures, model, forked, capfdbinary):
    """`scales batch in -o out -s 2` in this process: exit code, stdout, stderr."""

    def run(*arguments, inputs=("in",)):
        code = main(["batch", *inputs, "-o", "out", "-s", "2", "-m", model, "-j", "2", *map(str, arguments)])
        captured = capfdbinary.readouterr()
        return code, captured.out, captured.err.decode()

    return run


OUTPUTS = ["a_x2.png", "b_x2.jpg", "sub/a_x2.png", "sub/c_x2.tif", "sub/n\udcff %[i]_x2.bmp"]


def tree(folder="out"):
    """The files of an output folder, without its manifest."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith(".scales-batch")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def break_picture(path):
    path.write_bytes(path.read_bytes()[:200])


def test_batch_removes_what_runs_killed_long_ago_left(batch):
    left, fresh = Path("out/sub/.scales-17-0a1b2c3d.tmp"), Path("out/sub/.scales-18-0a1b2c3d.tmp")
    left.parent.mkdir(parents=True)
    for path in (left, fresh):
        path.write_bytes(b"half a picture")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(left, (two_days_ago, two_days_ago))
    assert batch()[0] == 0
    assert not left.exists()
    assert fresh.exists()  # which another run may be writing


def test_batch_mirrors_the_tree_with_the_bytes_of_upscale(batch, upscale):
    code, out, err = batch()
    assert code == 0
    assert sorted(out.splitlines()) == sorted(os.fsencode(f"out/{name}") for name in OUTPUTS)
    assert re.fullmatch(r"scales: 5 done, 0 skipped, 0 failed, .*\n", err)
    single = Path("single")
    for name in OUTPUTS:
        source = Path("in", name.replace("_x2", ""))
        assert upscale(str(source), "-o", str(single / name))[0] == 0
    assert tree() == tree(single)
    assert sorted(tree()) == OUTPUTS


@pytest.mark.parametrize("runs", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_batch_gives_the_same_whatever_the_jobs(batch, runs):
    assert batch()[0] == 0
    first = tree()
    for number in range(runs):
        shutil.rmtree("out")
        jobs = 4 - number % 4
        assert batch("-j", jobs, "-t", jobs)[0] == 0
        assert tree() == first


def test_batch_skips_what_is_done_and_unchanged(batch, pictures):
    assert batch()[0] == 0
    before = {name: Path("out", name).stat().st_mtime_ns for name in OUTPUTS}
    code, out, err = batch()
    assert (code, out) == (0, b"")
    assert "5 skipped (5 done before)" in err
    shutil.copy(pictures / "sub/a.png", pictures / "a.png")  # another picture under an old name
    Path("out/b_x2.jpg").unlink()
    assert sorted(batch()[1].splitlines()) == [b"out/a_x2.png", b"out/b_x2.jpg"]
    assert Path("out/a_x2.png").read_bytes() == Path("out/sub/a_x2.png").read_bytes()
    after = {name: Path("out", name).stat().st_mtime_ns for name in OUTPUTS}
    assert [name for name in OUTPUTS if before[name] != after[name]] == ["a_x2.png", "b_x2.jpg"]


def test_batch_does_all_again_with_another_model(batch, weights_file, rng):
    assert batch()[0] == 0
    first = tree()
    code, out, _ = batch("-m", weights_file(2))
    assert (code, len(out.splitlines())) == (0, 5)
    assert tree()["a_x2.png"] != first["a_x2.png"]
    assert len(batch("--overwrite")[1].splitlines()) == 5
    assert tree() == first


def test_batch_leaves_alone_what_it_did_not_write(batch):
    Path("out").mkdir()
    Path("out/a_x2.png").write_text("mine")
    code, out, err = batch()
    assert code == 0
    assert len(out.splitlines()) == 4
    assert "1 skipped (1 exists)" in err
    assert "--overwrite" in err
    assert Path("out/a_x2.png").read_text() == "mine"
    assert batch("--overwrite")[0] == 0
    assert Path("out/a_x2.png").read_bytes() != b"mine"


def test_batch_leaves_alone_what_was_changed_since_it_wrote_it(batch, weights_file):
    """Also if all is to be done again."""
    assert batch()[0] == 0
    retouched = Path("out/a_x2.png")
    retouched.write_bytes(retouched.read_bytes() + b"mine")
    before = retouched.read_bytes()
    for arguments, done in (((), 0), (("-m", weights_file(2)), 4)):
        code, out, err = batch(*arguments)
        assert (code, len(out.splitlines()), retouched.read_bytes()) == (0, done, before)
        assert "1 exists" in err
    assert batch("--overwrite")[0] == 0
    assert retouched.read_bytes() != before


@pytest.mark.parametrize("options", [(), ("--keep-times",)])
def test_batch_replaces_what_it_wrote_and_leaves_alone_what_has_its_size_only(batch, pictures, options):
    assert batch(*options, "--include", "n*")[0] == 0
    source, output = pictures / OUTPUTS[-1].replace("_x2", ""), Path("out", OUTPUTS[-1])
    for is_changed in (False, True):
        data = source.read_bytes()
        source.write_bytes(data[:-3] + bytes(255 - byte for byte in data[-3:]))  # of the same size, as its output
        os.utime(source, (10**8, 10**8 + is_changed))
        before = output.read_bytes()
        if is_changed:
            before = before[:-3] + b"abc"
            output.write_bytes(before)
            os.utime(output, (10**9, 10**9))
        code, out, err = batch(*options, "--include", "n*")
        assert (code, len(out.splitlines()), "1 exists" in err) == (0, not is_changed, is_changed)
        assert (output.read_bytes() == before) == is_changed


def test_batch_leaves_alone_what_was_changed_after_a_failure(batch, pictures):
    """The work on a new input that is damaged is no claim on the output of the one before."""
    assert batch()[0] == 0
    whole = (pictures / "a.png").read_bytes()
    break_picture(pictures / "a.png")
    assert batch()[0] == 1
    Path("out/a_x2.png").write_bytes(b"mine")
    (pictures / "a.png").write_bytes(whole)
    code, out, err = batch()
    assert (code, out, "1 exists" in err) == (0, b"", True)
    assert Path("out/a_x2.png").read_bytes() == b"mine"


def test_batch_names_failures_and_goes_on(batch, pictures):
    break_picture(pictures / "a.png")
    (pictures / "sub/empty.jpg").touch()
    code, out, err = batch()
    assert (code, len(out.splitlines())) == (1, 4)
    assert "in/a.png: the picture is truncated" in err
    assert "in/sub/empty.jpg: the file is empty" in err
    assert err.count("\n") == 4
    assert "a_x2.png" not in tree()
    code, out, err = batch()
    assert (code, out) == (1, b"")
    assert "failed before; --retry-failed tries again" in err
    shutil.copy(pictures / "sub/a.png", pictures / "a.png")
    assert batch()[1] == b"out/a_x2.png\n"
    assert "the file is empty (check" in batch("--retry-failed")[2]


def test_batch_stops_at_the_first_failure_if_told_to(batch, pictures):
    for path in pictures.rglob("*.png"):
        break_picture(path)
    code, _, err = batch("--fail-fast", "-j", "1")
    assert code == 1
    assert "1 failed" in err


def test_batch_prints_json_lines(batch, pictures):
    break_picture(pictures / "a.png")
    lines = [json.loads(line) for line in batch("--json", "-q")[1].splitlines()]
    assert len(lines) == 5
    (failed,) = (line for line in lines if "error" in line)
    assert (failed["input"], failed["exit_code"]) == ("in/a.png", 3)
    assert {line["output"] for line in lines if line is not failed} == {f"out/{name}" for name in OUTPUTS[1:]}
    assert {json.loads(line).get("skipped") for line in batch("--json")[1].splitlines()} == {None, "done before"}


def test_batch_dry_run_writes_nothing(batch):
    code, out, _ = batch("--dry-run")
    assert code == 0
    assert out.splitlines() == [os.fsencode(f"out/{name}") for name in OUTPUTS]
    assert batch("--dry-run", "-q") == (0, b"", "")
    assert not Path("out").exists()


def test_batch_dry_run_names_what_cannot_be_done(batch, pictures):
    (pictures / "a.png").write_text("hello")
    code, out, err = batch("--dry-run")
    assert code == 1
    assert out.splitlines() == [os.fsencode(f"out/{name}") for name in OUTPUTS[1:]]
    failure, summary, end = err.splitlines()
    assert failure.startswith("scales: error: in/a.png: not a picture")
    assert summary == "scales: 4 to do, 0 skipped, 1 failed"
    assert end.startswith("scales: error: 1 of 5 pictures failed")
    assert not Path("out").exists()


def test_batch_dry_run_names_what_is_skipped(batch):
    assert batch("--include", "b.jpg")[0] == 0
    Path("out/a_x2.png").touch()
    code, out, err = batch("--dry-run")
    assert (code, len(out.splitlines())) == (0, 3)
    assert sorted(err.splitlines()) == [
        "scales: 3 to do, 2 skipped (1 done before, 1 exists), 0 failed",
        "scales: skipped: in/a.png: out/a_x2.png: exists",
        "scales: skipped: in/b.jpg: out/b_x2.jpg: done before",
        "scales: warning: files of others, or changed since, were left alone (--overwrite replaces them)",
    ]
    assert len([line for line in batch("--dry-run", "--json")[1].splitlines() if b"skipped" in line]) == 2


def test_batch_says_that_it_looks_at_pictures(batch, monkeypatch):
    monkeypatch.setattr(batch_view, "_LINE_SECONDS", 0.0)
    first, *others = batch()[2].splitlines()
    assert first == "scales: looking at 0 of 5 pictures"
    assert any(re.match(r"scales: \d of 5 pictures, \d", line) for line in others)


def test_batch_counts_the_pictures_it_does_not_read(batch, pictures):
    for name in ("a.psd", "b.PSD", "sub/c.cr2", "notes.txt", "@eaDir/d.psd", "@eaDir/e.png"):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).touch()
    code, out, err = batch()
    assert (code, len(out.splitlines())) == (0, 5)
    assert "scales: warning: 3 files of kinds that are not read were left out: .cr2 1, .psd 2\n" in err
    lines = [json.loads(line) for line in batch("--json")[1].splitlines()]
    left_out = {line["input"]: line["left_out"] for line in lines if "left_out" in line}
    assert left_out == {"in/a.psd": ".psd", "in/b.PSD": ".psd", "in/sub/c.cr2": ".cr2"}
    assert "left out" not in batch("--exclude", "*.psd", "--exclude", "*.PSD", "--exclude", "*.cr2")[2]
    code, _, err = batch(inputs=["in/a.psd"])
    assert code == 1
    assert "in/a.psd: " in err
    code, _, err = batch(inputs=["in/*.psd"])
    assert code == 3
    assert "no pictures among the inputs, but files that are not read: .psd" in err


def test_batch_takes_no_empty_name_for_its_output(batch):
    assert batch("-o", "")[0] == 2


def test_batch_looks_for_no_output_that_cannot_be(batch):
    """As a damaged or edited manifest may say."""
    assert batch()[0] == 0
    first = tree()
    lines = Path("out/.scales-batch.jsonl").read_text().splitlines()
    records = [record for record in map(json.loads, lines) if record["status"] == "done"]
    shutil.rmtree("out")
    Path("out").mkdir()
    outputs = ["x" * 5000, "a\0b", "", "..", "../in/a.png"]
    lines = [json.dumps(record | {"output": name}) for record, name in zip(records, outputs, strict=True)]
    Path("out/.scales-batch.jsonl").write_text("\n".join(lines))
    assert batch()[0] == 0
    assert tree() == first


def test_batch_refuses_clashes_before_any_work(batch, pictures):
    shutil.copytree(pictures / "sub", "other")
    code, out, err = batch(inputs=["in/sub", "other"])
    assert (code, out) == (4, b"")
    assert "in/sub/a.png and other/a.png would both be written to out/a_x2.png" in err
    assert "(choose --on-clash skip or number)" in err  # as names would not help
    assert not Path("out").exists()


@pytest.fixture
def clashing(pictures):
    """Six inputs of three outputs."""
    for name in ("in/a.gif", "in/sub/a.gif", "in/sub/c.gif"):
        Image.new("P", (9, 12), 7).save(name)
    for name in ("in/sub/c.tif", "in/b.jpg"):
        Path(name).unlink()
    Image.new("L", (9, 12)).save("in/sub/c.png")


def test_batch_names_all_clashes(batch, clashing):
    code, _, err = batch()
    assert (code, err.count("\n")) == (4, 1)
    assert "in/a.gif and in/a.png would both be written to out/a_x2.png; in/sub/a.gif and in/sub/a.png to" in err
    assert "in/sub/c.gif and in/sub/c.png to out/sub/c_x2.png (tell them apart by --name" in err


def test_batch_leaves_out_or_numbers_inputs_of_one_output(batch, clashing):
    code, out, err = batch("--on-clash", "skip")
    assert (code, len(out.splitlines())) == (0, 4)
    assert "3 skipped (3 clash)" in err
    first = tree()
    code, out, err = batch("--on-clash", "number")
    assert sorted(out.splitlines()) == [b"out/a_x2-2.png", b"out/sub/a_x2-2.png", b"out/sub/c_x2-2.png"]
    assert "4 skipped (4 done before)" in err
    assert {name: data for name, data in tree().items() if name in first} == first
    Image.new("L", (5, 5)).save("in/a.bmp")  # which comes before the others, but takes no output from them
    Image.new("L", (6, 6)).save("in/a.png")
    assert sorted(batch("--on-clash", "number")[1].splitlines()) == [b"out/a_x2-2.png", b"out/a_x2.bmp"]
    assert batch("--on-clash", "never")[0] == 2


def test_batch_takes_a_file_called_minus(batch, pictures):
    shutil.copy(pictures / "a.png", "-")
    assert batch(inputs=["./-"])[1] == b"out/-_x2.png\n"
    assert "1 skipped (1 done before)" in batch(inputs=["./-"])[2]
    assert batch(inputs=["-"])[0] == 2


def test_printed_paths_may_end_with_zero_bytes(batch, upscale):
    names = batch("-0", "--include", "sub")[1].split(b"\0")
    assert sorted(names) == sorted([b"", *(os.fsencode(f"out/{name}") for name in OUTPUTS if name.startswith("sub"))])
    assert upscale("in/b.jpg", "--print0")[1] == b"in/b_x2.jpg\0"


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_batch_refuses_an_output_that_is_an_input(batch, pictures, link):
    Path("out").mkdir()
    link(Path("in/b.jpg").resolve(), "out/a_x2.png")
    code, _, err = batch("--overwrite")
    assert code == 4
    assert "in/a.png: its output out/a_x2.png is the input in/b.jpg" in err
    assert tree() == {"a_x2.png": Path("in/b.jpg").read_bytes()}


def test_batch_shards_make_the_whole(batch):
    assert batch()[0] == 0
    whole = tree()
    shutil.rmtree("out")
    results = [batch("--shard", f"{index}/3") for index in (1, 2, 3)]
    assert [code for code, _, _ in results] == [0, 0, 0]
    assert sum(len(out.splitlines()) for _, out, _ in results) == 5  # none was done twice
    assert tree() == whole
    assert "5 skipped (5 done before)" in batch()[2]


def test_batch_goes_on_by_what_was_recorded_last_whatever_the_shards(batch, pictures):
    assert batch()[0] == 0
    assert batch("--shard", "1/1", "--name", "{stem}{ext}")[1].count(b"\n") == 5
    shutil.copy(pictures / "a.png", pictures / "d.png")
    assert batch("--include", "d.png", "--name", "{stem}{ext}")[1] == b"out/d.png\n"  # among the old lines
    assert "6 skipped (6 done before)" in batch("--shard", "1/1", "--name", "{stem}{ext}")[2]


def test_batch_forgets_failures_that_a_shard_has_mended(batch):
    assert batch("--max-pixels", "10")[0] == 1
    assert batch("--shard", "1/1", "--retry-failed")[1].count(b"\n") == 5
    for arguments in (("--shard", "1/1"), ()):
        code, _, err = batch(*arguments)
        assert (code, "5 done before" in err) == (0, True)


@pytest.mark.parametrize("limit", ["10", "400"])  # of inputs, of results
def test_batch_tries_again_what_had_more_pixels_than_allowed(batch, limit):
    for _ in range(2):
        code, _, err = batch("--max-pixels", limit, "--include", "*.png")
        assert (code, err.count(f"more than the {limit} allowed")) == (1, 2)
        assert "shrink the picture first" in err
    assert batch("--include", "*.png")[1].count(b"\n") == 2


@pytest.mark.parametrize("arguments", [("--shard", "0/3"), ("--shard", "4/3"), ("--shard", "x"), ("-j", "0")])
def test_batch_refuses_arguments_that_cannot_be_meant(batch, arguments):
    code, _, err = batch(*arguments)
    assert code == 2
    assert arguments[0] in err


@pytest.mark.parametrize(("inputs", "code"), [(["missing"], 3), (["-"], 2), (["out"], 3)])
def test_batch_exit_codes_of_inputs(batch, inputs, code):
    got, out, err = batch(inputs=inputs)
    assert (got, out, err.count("\n")) == (code, b"", 1)


def test_batch_keeps_times_of_files_only(batch):
    fsspec = pytest.importorskip("fsspec")
    for address, arguments in (("memory://times/out", ("-o", "memory://times/out")), ("memory://times/in/a.png", ())):
        fsspec.filesystem("memory").pipe_file(address, b"")
        inputs = ("in",) if arguments else ("in", address)
        code, out, err = batch("--keep-times", *arguments, inputs=inputs)
        assert (code, out) == (2, b"")
        assert err == "scales: error: times can be kept from file to file only (leave out --keep-times)\n"
    assert not Path("out").exists()


def test_batch_does_not_write_to_standard_output(batch):
    code, out, err = batch("-o", "-")
    assert (code, out, Path("-").exists()) == (2, b"", False)
    assert "give a folder" in err


def test_batch_filters(batch):
    _, out, err = batch("--include", "*.png", "--exclude", "sub/", "--exclude", "in/sub")
    assert out == b"out/a_x2.png\n"
    assert err.startswith("scales: warning: --exclude in/sub excludes nothing\n")
    assert batch("--no-recursive", "--include", "*.jpg", "--include", "c.*")[1] == b"out/b_x2.jpg\n"


def test_batch_keeps_its_manifest_elsewhere(batch):
    assert batch("--manifest", "done.jsonl")[0] == 0
    assert [json.loads(line)["status"] for line in Path("done.jsonl").read_text().splitlines()].count("done") == 5
    assert sorted(tree()) == OUTPUTS
    assert not list(Path("out").glob(".scales*"))
    assert "5 skipped" in batch("--manifest", "done.jsonl")[2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_batch_that_cannot_record_anything_stops(batch):
    """Or nothing would be known of what it has done."""
    code, _, err = batch("--manifest", "/dev/full")
    assert code == 4
    assert "/dev/full: cannot be written: No space left on device" in err
    assert all(name in OUTPUTS for name in tree())


def test_batch_checks_its_manifest_and_memory_before_any_work(batch):
    code, out, err = batch("--manifest", "missing/done.jsonl")
    assert (code, out) == (4, b"")
    assert "missing/done.jsonl: cannot be written" in err
    code, out, err = batch("--max-memory", "1M")
    assert (code, out) == (6, b"")
    assert "do not even hold the program" in err
    assert not tree()


def test_batch_names_a_model_that_is_missing(batch):
    assert batch("-m", "unheard-of")[0] == 5
    assert not Path("out").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_batch_names_an_output_folder_it_cannot_write(batch):
    Path("out").mkdir(mode=0o555)
    code, _, err = batch()
    assert code == 4
    assert "cannot be written to" in err


def test_batch_takes_the_options_of_upscale(batch):
    assert batch("--include", "a.png", "--format", "jpg", "--quality", "40")[1].count(b".jpg\n") == 2
    first = Path("out/a_x2.jpg").stat().st_size
    assert batch("--include", "a.png", "--format", "jpg", "--quality", "90")[1].count(b".jpg\n") == 2
    assert Path("out/a_x2.jpg").stat().st_size > first


def test_batch_names_results_by_a_template(batch, pictures, upscale):
    assert batch("--include", "b.jpg", "--name", "{stem}@{scale}x{ext}")[1] == b"out/b@2x.jpg\n"
    Image.new("P", (9, 12)).save("in/a.gif")
    code, _, err = batch()
    assert code == 4  # as both would be a_x2.png
    assert "would both be written to out/a_x2.png" in err
    assert batch("--include", "a.*", "--name", "{stem}-{from}{ext}")[0] == 0
    assert Path("out/a-gif.png").exists()
    assert Path("out/a-png.png").exists()
    assert upscale("in/b.jpg", "-o", "single/", "--name", "{model}-{stem}{ext}")[0] == 0
    (single,) = Path("single").iterdir()
    assert single.name == "scales-random-x2-b.jpg"
    assert single.read_bytes() == Path("out/b@2x.jpg").read_bytes()
    assert upscale("in/b.jpg", "--name", "{stem}{ext}")[0] == 4  # the input itself
    for arguments in (["-o", "c.jpg"], ["-o", "-"]):
        code, _, err = upscale("in/b.jpg", "--name", "{stem}{ext}", *arguments)
        assert (code, "needs a folder" in err) == (2, True)
    code, _, err = batch("--name", "{nothing}{ext}")
    assert (code, "{stem}, {from}, {scale}, {model}, {ext}" in err) == (2, True)


def test_batch_takes_hostile_names(batch, folder, hostile_names):
    Path("names").mkdir()
    for name in hostile_names:
        shutil.copy("a.png", os.fsencode(f"names/{name}"))
    Path("names/broken\n\x1b[31m.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, out, err = batch("--json", inputs=["names"])
    assert code == 1
    assert len(tree()) == len(hostile_names)
    results = [json.loads(line) for line in out.splitlines()]
    assert len(results) == len(hostile_names) + 1
    written = {Path(line["output"]).name for line in results if "output" in line}
    assert written == {path.name for path in Path("out").glob("*.png")}
    short = [name for name in hostile_names if len(name) < 200]
    assert written >= {f"{name.removesuffix('.png')}_x2.png" for name in short}
    assert "\x1b" not in err
    assert "names/broken\\n\\x1b[31m.png" in err
    assert len(err.splitlines()) == 3
    assert batch(inputs=["names"])[1] == b""  # all is known


@pytest.mark.slow
def test_batch_of_ten_thousand_names_the_bad_ones(batch, folder):
    Path("many").mkdir()
    good = Path("a.png").read_bytes()
    for index in range(10_000):
        Path(f"many/{index:05}.png").write_bytes(good[:60] if index % 100 == 7 else good)
    code, out, err = batch(inputs=["many"])
    assert (code, len(out.splitlines())) == (1, 9900)
    bad = [f"many/{index:05}.png" for index in range(7, 10_000, 100)]
    assert sorted(line.split(": ")[2] for line in err.splitlines() if "truncated" in line) == bad
