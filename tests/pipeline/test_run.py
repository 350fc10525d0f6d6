import io
import os
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms
from plans import plan_for

from scales_cli.errors import InputError, MemoryLimitError, OutputError, WeightsError
from scales_cli.imaging.files import read_image
from scales_cli.imaging.readers import netpbm
from scales_cli.pipeline import run
from scales_cli.pipeline.outcome import Failed
from scales_cli.pipeline.run import run_job, run_jobs


@pytest.fixture
def photo(rng, tmp_path):
    pixels = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def no_progress(name):
    return nullcontext()


def test_run_job_writes_the_enlarged_picture(upscaler, photo):
    (job,) = plan_for([str(photo)], None, 2).jobs
    result = run_job(upscaler(2), job)
    assert (result.width, result.height, result.scale, result.model) == (18, 12, 2, "fake")
    assert np.array_equal(read_image(result.output).pixels, upscaler(2).upscale(read_image(photo).pixels))
    assert set(result.to_dict()) >= {"input", "output", "width", "height", "scale", "model", "seconds"}


def test_run_job_reports_progress_to_the_end(upscaler, photo):
    (job,) = plan_for([str(photo)], None, 2).jobs
    fractions = []
    run_job(upscaler(2), job, fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-2:] == [0.8, 1.0]


def test_run_job_keeps_profile_and_resolution(upscaler, rng, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", icc_profile=profile, dpi=(300, 300))
    (job,) = plan_for([str(tmp_path / "a.jpg")], None, 2).jobs
    written = read_image(run_job(upscaler(2), job).output)
    assert written.icc_profile == profile
    assert written.dpi == pytest.approx((300, 300), abs=0.1)


def test_run_job_says_what_was_lost(upscaler, tmp_path):
    Image.new("RGBA", (4, 4), (1, 2, 3, 128)).save(tmp_path / "a.png")
    (job,) = plan_for([str(tmp_path / "a.png")], str(tmp_path / "a.jpg"), 2).jobs
    assert "transparency" in run_job(upscaler(2), job).notes[0]


def test_run_jobs_goes_on_after_failures(upscaler, photo):
    truncated = photo.with_name("truncated.png")
    data = photo.read_bytes()
    truncated.write_bytes(data[: len(data) - 40])
    missing = str(photo.with_name("missing.png"))
    plan = plan_for([str(truncated), missing, str(photo)], str(photo.parent / "out"), 2)
    outcomes = list(run_jobs({2: upscaler(2)}, plan, no_progress))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert {failure.input for failure in failures} == {str(truncated), missing}
    assert [item.name for item in (photo.parent / "out").iterdir()] == ["a_x2.png"]


def test_run_jobs_names_the_picture_the_network_failed_on(upscaler, photo):
    plan = plan_for([str(photo)], None, 2)
    (failure,) = run_jobs({2: upscaler(2, lambda planes: planes * np.nan)}, plan, no_progress)
    assert type(failure.error) is WeightsError
    assert failure.error.message.startswith(str(photo))
    assert [item.name for item in photo.parent.iterdir()] == ["a.png"]


def test_run_jobs_turns_memory_errors(upscaler, photo):
    def exhaust(planes):
        raise MemoryError

    (failure,) = run_jobs({2: upscaler(2, exhaust)}, plan_for([str(photo)], None, 2), no_progress)
    assert isinstance(failure.error, MemoryLimitError)


class Trickle(io.RawIOBase):
    """An unbuffered stream that takes a few bytes at a time, at most `room` of them."""

    def __init__(self, room=10**6):
        self.data = b""
        self.room = room

    def writable(self):
        return True

    def write(self, data):
        if self.room == len(self.data):
            return None
        part = bytes(data[: min(100, self.room - len(self.data))])
        self.data += part
        return len(part)


def test_run_job_writes_all_to_unbuffered_streams(upscaler, photo, monkeypatch):
    (job,) = plan_for([str(photo)], "-", 4).jobs
    stream = Trickle()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=stream))
    run_job(upscaler(4), job)
    assert len(stream.data) > 100
    assert np.array_equal(read_image(stream.data).pixels, upscaler(4).upscale(read_image(photo).pixels))


def test_run_job_refuses_streams_that_are_full(upscaler, photo, monkeypatch):
    (job,) = plan_for([str(photo)], "-", 2).jobs
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=Trickle(room=100)))
    with pytest.raises(OutputError, match="standard output"):
        run_job(upscaler(2), job)


@pytest.mark.parametrize("overwrite", [False, True])
def test_run_job_leaves_outputs_that_appeared_meanwhile(upscaler, photo, overwrite):
    (job,) = plan_for([str(photo)], None, 2, overwrite=overwrite).jobs
    job.target.write_bytes(b"precious")
    if overwrite:
        run_job(upscaler(2), job)
        assert job.target.read_bytes() != b"precious"
        return
    with pytest.raises(OutputError, match="exists") as caught:
        run_job(upscaler(2), job)
    assert "--overwrite" in caught.value.hint
    assert job.target.read_bytes() == b"precious"
    assert len(list(photo.parent.iterdir())) == 2


def test_run_job_removes_the_folders_it_made_in_vain(upscaler, photo, monkeypatch):
    def fail(*arguments, **options):
        raise OutputError("text")

    monkeypatch.setattr(run, "open_writer", fail)
    (photo.parent / "kept").mkdir()
    (job,) = plan_for([str(photo)], str(photo.parent / "kept" / "new" / "newer") + "/", 2).jobs
    with pytest.raises(OutputError):
        run_job(upscaler(2), job)
    assert list((photo.parent / "kept").iterdir()) == []


def test_run_job_refuses_another_picture_than_was_planned(upscaler, photo):
    (job,) = plan_for([str(photo)], None, 2).jobs
    Image.new("L", (9, 6)).save(photo)
    with pytest.raises(InputError, match="changed"):
        run_job(upscaler(2), job)
    assert list(photo.parent.iterdir()) == [photo]


def test_run_job_of_a_file_that_shrinks_while_it_is_read(upscaler, tmp_path, monkeypatch):
    """A mapped one would end the process."""
    path = tmp_path / "deep.ppm"
    path.write_bytes(b"P6 64 64 65535\n" + bytes(64 * 64 * 6))
    (job,) = plan_for([str(path)], None, 2).jobs
    open_rows = netpbm.open_rows

    def shrink(*arguments):
        rows = open_rows(*arguments)
        os.truncate(path, 1000)
        return rows

    monkeypatch.setattr(netpbm, "open_rows", shrink)
    with pytest.raises(InputError, match="truncated"):
        run_job(upscaler(2), job)
