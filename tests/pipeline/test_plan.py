import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plans import plan_for

from scales_cli.errors import InputError, OutputError, UsageError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(path, size=(6, 5), mode="RGB", image_format=None):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path, image_format)
    return str(path)


def targets(inputs, output=None, scale=2, **options):
    plan = plan_for(inputs, output, scale, **options)
    assert not plan.failures
    return [str(job.target) for job in plan.jobs]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm"])
def test_plan_names_outputs_beside_inputs(folder, suffix):
    mode = "L" if suffix == ".pgm" else "RGB"
    image_format = "PPM" if suffix in (".ppm", ".pgm") else None
    assert targets([save(f"sub/a.b{suffix}", mode=mode, image_format=image_format)]) == [f"sub/a.b_x2{suffix}"]


def test_plan_names_outputs_in_a_folder(folder):
    inputs = [save("a/1.png"), save("b/2.jpg")]
    assert targets(inputs, "out") == ["out/1_x2.png", "out/2_x2.jpg"]
    assert targets(inputs[:1], "new/") == ["new/1_x2.png"]
    (folder / "out.png").mkdir()
    assert targets(inputs[:1], "out.png", 4) == ["out.png/1_x4.png"]


def test_plan_takes_a_file_name(folder):
    assert targets([save("a.png")], "b.jpg") == ["b.jpg"]


def test_plan_goes_by_content(folder):
    assert targets([save("photo.jpg", image_format="PNG")]) == ["photo_x2.png"]
    assert targets([save("nameless", image_format="TIFF")]) == ["nameless_x2.tif"]


def test_plan_falls_back_to_png(folder):
    assert targets([save("wide.webp", (8192, 1))]) == ["wide_x2.png"]
    assert targets([save("wide.jpg", (16400, 1))], scale=4) == ["wide_x4.png"]
    rgba = io.BytesIO()
    Image.new("RGBA", (4, 4), (1, 2, 3, 4)).save(rgba, "BMP")
    if Image.open(io.BytesIO(rgba.getvalue())).mode == "RGBA":
        Path("clear.bmp").write_bytes(rgba.getvalue())
        assert targets(["clear.bmp"]) == ["clear_x2.png"]


def test_plan_checks_limits_before_work(folder):
    with pytest.raises(OutputError, match="16383"):
        plan_for([save("wide.png", (8192, 1))], "out.webp", 2)


def test_plan_refuses_color_in_pgm(folder):
    with pytest.raises(OutputError, match="PGM"):
        plan_for([save("a.png")], "out.pgm", 2)


def test_plan_refuses_too_many_pixels(folder):
    (failure,) = plan_for([save("a.png", (9000, 8000), "1")], None, 4).failures
    assert isinstance(failure.error, InputError)
    assert "allowed" in failure.error.message


def test_plan_names_both_inputs_of_a_clash(folder):
    inputs = [save("a/x.png"), save("b/x.png")]
    with pytest.raises(OutputError, match=r"a/x\.png and b/x\.png") as caught:
        plan_for(inputs, "out", 2)
    assert "--name" not in caught.value.hint  # which could not tell them apart
    (folder / "out").mkdir()
    with pytest.raises(OutputError) as caught:
        plan_for([save("a/x.png"), save("a/x.gif", mode="P")], "out", 2)
    assert "{stem}-{from}{ext}" in caught.value.hint
    with pytest.raises(OutputError, match="is given twice"):
        plan_for([inputs[0], inputs[0]], None, 2)
    Path("link").symlink_to("a")
    save("a/y.png")
    with pytest.raises(OutputError, match="and"):
        plan_for(["a/y.png", "link/y.png"], None, 2)


def test_plan_never_overwrites_an_input(folder):
    name = save("a.png")
    Path("soft.png").symlink_to("a.png")
    os.link("a.png", "hard.png")
    for output in ("a.png", "./a.png", str(folder / "a.png"), "soft.png", "hard.png"):
        with pytest.raises(OutputError, match=r"a\.png.* is the input a\.png"):
            plan_for([name], output, 2, overwrite=True)


def test_plan_never_overwrites_another_input(folder):
    inputs = [save("a.png"), save("a_x2.png")]
    with pytest.raises(OutputError, match=r"a_x2\.png is the input a_x2\.png"):
        plan_for(inputs, None, 2, overwrite=True)


def test_plan_refuses_existing_outputs(folder):
    name = save("a.png")
    save("a_x2.png")
    with pytest.raises(OutputError, match="exists") as caught:
        plan_for([name], None, 2)
    assert "--overwrite" in caught.value.hint
    assert targets([name], overwrite=True) == ["a_x2.png"]
    Path("dangling.png").symlink_to("nowhere")
    with pytest.raises(OutputError, match="exists"):
        plan_for([name], "dangling.png", 2)


def test_plan_refuses_outputs_that_are_no_files(folder):
    name = save("a.png")
    os.mkfifo("pipe.png")
    with pytest.raises(OutputError, match="not a file"):
        plan_for([name], "pipe.png", 2, overwrite=True)
    with pytest.raises(OutputError):
        plan_for([name], "/dev/null", 2, overwrite=True)
    (folder / "a_x2.png").mkdir()
    with pytest.raises(OutputError, match="not a file"):
        plan_for([name], None, 2, overwrite=True)


def test_plan_refuses_folders_that_cannot_be_made(folder):
    name = save("a.png")
    with pytest.raises(OutputError, match=r"a\.png/out\.png: cannot be written: Not a directory$"):
        plan_for([name], "a.png/out.png", 2)


def test_plan_collects_unreadable_inputs(folder):
    Path("text.png").write_text("hello")
    plan = plan_for([save("a.png"), "text.png", "missing.png", "."], "out", 2)
    assert [job.name for job in plan.jobs] == ["a.png"]
    assert [failure.input for failure in plan.failures] == ["text.png", "missing.png", "."]
    for failure in plan.failures:
        assert failure.error.message.startswith(f"{failure.input}: ")


def test_plan_shortens_long_names(folder):
    name = save("ä" * 125 + ".png")
    (target,) = targets([name])
    assert len(os.fsencode(target)) <= 255
    assert target.endswith("_x2.png")


def test_plan_reads_standard_input(folder, monkeypatch):
    data = Path(save("a.tif")).read_bytes()
    for output, expected in ((None, None), ("-", None), ("b.png", "b.png"), ("out/", "out/stdin_x2.tif")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        (job,) = plan_for(["-"], output, 2).jobs
        assert (job.target and str(job.target)) == expected
        job.source.seek(0)
        assert job.source.read() == data
    assert job.format.name == "TIFF"


def test_plan_refuses_impossible_streams(folder):
    inputs = [save("a.png"), save("b.png")]
    for arguments in ((inputs, "-"), (["-", "-"], "out"), ([], None), ([""], None), (inputs, "")):
        with pytest.raises(UsageError):
            plan_for(*arguments, 2)


def test_plan_writes_nothing(folder):
    plan_for([save("a.png")], "new/folder/", 2)
    assert [item.name for item in folder.iterdir()] == ["a.png"]


def test_plan_of_several_inputs_needs_a_folder(folder):
    inputs = [save("a.png"), save("b.png")]
    np.save("taken.npy", 1)
    with pytest.raises(OutputError):
        plan_for(inputs, "taken.npy", 2)


def test_plan_of_several_inputs_refuses_a_picture_name(folder):
    inputs = [save("a.png"), save("b.png")]
    with pytest.raises(UsageError, match=r"out\.JPG") as caught:
        plan_for(inputs, "out.JPG", 2)
    assert caught.value.hint == "give a folder to -o"
    assert targets(inputs, "out.jpg/") == ["out.jpg/a_x2.png", "out.jpg/b_x2.png"]
    Path("out.png").mkdir()
    assert targets(inputs, "out.png") == ["out.png/a_x2.png", "out.png/b_x2.png"]
