"""`scales video` on files: what a clip has beside its pixels is kept, and damage ends in one line."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")
av = pytest.importorskip("av")

from scales_cli.cli.app import main  # noqa: E402
from scales_cli.pipeline.sizing import Sizing  # noqa: E402
from scales_cli.pipeline.upscalers import Upscalers  # noqa: E402
from scales_cli.video.run import VideoOptions, enlarge_video  # noqa: E402
from scales_cli.weights.family import resolve  # noqa: E402


@pytest.fixture
def enlarge(tmp_path, capfd, monkeypatch):
    """`scales video` in this process, with the tiny model: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capfd.readouterr()
        code = main(["video", *map(str, arguments), "-t", "1"])
        return (code, *capfd.readouterr())

    return run


def decoded(path):
    """Times, planes and first frame of a file's video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return [frame.pts * frame.time_base for frame in frames], frames


def left_over(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_json_says_what_became_of_it(enlarge, make_clip):
    code, out, err = enlarge(make_clip(), "-o", "out.mkv", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert (result["width"], result["height"], result["frames"], result["output"]) == (128, 96, 5, "out.mkv")


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.mov"])
def test_sound_times_and_tags_are_kept(enlarge, make_clip, name):
    source = make_clip(sound=True, times=[0, 40, 55, 130, 170], sample_aspect_ratio=Fraction(4, 3), colorspace=1)
    with av.open(str(source)) as container:
        sound = [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(audio=0) if packet.size]
    assert enlarge(source, "-o", name)[0] == 0
    times, frames = decoded(name)
    assert times == decoded(source)[0]
    assert (frames[0].width, frames[0].height, int(frames[0].colorspace)) == (128, 96, 1)
    with av.open(name) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        kept = [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(audio=0) if packet.size]
    assert [data for _, data in kept] == [data for _, data in sound]
    assert all(abs(one - other) <= Fraction(1, 1000) for (one, _), (other, _) in zip(kept, sound, strict=True))


def test_chapters_texts_and_languages_are_kept(enlarge, make_clip, tmp_path):
    source, tagged = make_clip(sound=True, max_b_frames=0), tmp_path / "tagged.mkv"
    with av.open(str(source)) as container, av.open(str(tagged), "w") as output:
        output.metadata["title"] = "A clip"
        chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}
        output.set_chapters([chapter])
        copies = {stream.index: output.add_stream_from_template(stream) for stream in container.streams}
        copies[1].metadata["language"] = "deu"
        output.add_attachment("font.ttf", "font/ttf", b"letters")
        for packet in container.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
    assert enlarge(tagged, "-o", "out.mkv")[::2] == (0, "")
    with av.open("out.mkv") as container:
        assert container.metadata["title"] == "A clip"
        assert container.chapters()[0]["metadata"] == {"title": "One"}
        assert container.streams[1].metadata["language"] == "deu"
        assert [stream.data for stream in container.streams if stream.type == "attachment"] == [b"letters"]


def test_what_has_no_place_is_named(enlarge, make_clip):
    code, _, err = enlarge(make_clip(sound=True), "-o", "out.webm")
    assert code == 0
    assert "its stream 1 (audio, aac) was left out: .webm has no place for it" in err


def test_ten_bits_stay_ten_bits(enlarge, make_clip):
    source = make_clip(codec="ffv1", pixels="yuv420p10le", color_range=2)
    assert enlarge(source, "-o", "out.mkv", "--codec", "ffv1")[0] == 0
    frame = decoded("out.mkv")[1][0]
    assert (frame.format.name, int(frame.color_range)) == ("yuv420p10le", 2)
    assert np.unique(frame.to_ndarray() % 4).size == 4


def test_rotation_is_kept(enlarge, make_clip, tmp_path):
    source, turned = make_clip("clip.mp4", max_b_frames=0), tmp_path / "turned.mp4"
    with av.open(str(source)) as container, av.open(str(turned), "w") as output:
        copy = output.add_stream_from_template(container.streams.video[0])
        copy.set_display_rotation(90)
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = copy
                output.mux(packet)
    assert enlarge(turned, "-o", "out.mp4")[0] == 0
    assert decoded("out.mp4")[1][0].rotation == decoded(turned)[1][0].rotation != 0


@pytest.mark.parametrize(("codec", "within"), [("hevc", 0), ("av1", 1e-3)])
def test_hdr_mastering_data_is_kept(enlarge, make_clip, codec, within):
    """Of 10 bits: the colors of the screen, its darkest and brightest, and how bright the video gets."""
    screen = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    options = {"x265-params": f"log-level=none:{screen}:max-cll=1000,400"}
    source = make_clip(codec="libx265", pixels="yuv420p10le", size=(64, 64), count=8, options=options, color_trc=16)
    code, _, err = enlarge(source, "-o", "out.mkv", "--codec", codec)
    assert (code, err) == (0, "")
    before, after = decoded(source)[1][0], decoded("out.mkv")[1][0]
    assert (after.format.name, int(after.color_trc)) == ("yuv420p10le", 16)
    for name, form in (("MASTERING_DISPLAY_METADATA", "=20i"), ("CONTENT_LIGHT_LEVEL", "=2I")):
        data = [struct.unpack_from(form, bytes(frame.side_data.get(name))) for frame in (before, after)]
        values = np.array(data[0]), np.array(data[1])
        if form == "=20i":
            values = tuple(numbers[::2] / numbers[1::2] for numbers in values)
        assert np.allclose(*values, rtol=within, atol=within * 1e-3)


def test_a_part_of_it(enlarge, make_clip):
    source = make_clip(count=20, sound=True)
    assert enlarge(source, "-o", "out.mkv", "--start", "0.2", "--end", "0.48")[0] == 0
    assert decoded("out.mkv")[0] == [Fraction(40 * index, 1000) for index in range(7)]


def test_a_height_between(enlarge, make_clip):
    assert enlarge(make_clip(), "-o", "out.mkv", "--height", "80")[0] == 0
    frame = decoded("out.mkv")[1][0]
    assert (frame.width, frame.height) == (106, 80)


def test_y4m_in_and_out_equals_files(enlarge, make_clip, tmp_path):
    source = make_clip(codec="ffv1")
    assert enlarge(source, "-o", "a.y4m")[0] == 0
    assert enlarge(source, "-o", "b.mkv", "--codec", "ffv1")[0] == 0
    frames = decoded("b.mkv")[1]
    raw = b"".join(plane.tobytes() for plane in (frame.to_ndarray() for frame in frames))
    data = Path("a.y4m").read_bytes()
    head, _, body = data.partition(b"\n")
    assert head.startswith(b"YUV4MPEG2 W128 H96 F25:1")
    assert body.replace(b"FRAME\n", b"") == raw
    assert enlarge("a.y4m", "-o", "c.y4m", "-s", "3")[0] == 0
    assert Path("c.y4m").stat().st_size > 8 * len(data)


def test_a_pipe_of_y4m(make_clip, enlarge, tmp_path):
    """From standard input to standard output, in a process of its own; nothing else is printed there."""
    enlarge(make_clip(codec="ffv1"), "-o", "whole.y4m")
    command = [sys.executable, "-m", "scales_cli", "video", "-", "-o", "-", "-t", "1"]
    frames = b"FRAME\n" + bytes(range(256)) * 6
    result = subprocess.run(command, input=b"YUV4MPEG2 W32 H32 C420\n" + 3 * frames, capture_output=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, b"")
    assert len(result.stdout.partition(b"\n")[2]) == 3 * (6 + 64 * 96)


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda clip: b"", 3, "it is no video"),
        (lambda clip: b"x" * 1000, 3, "it is no video"),
        (lambda clip: b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", 3, "it is no video"),
        (lambda clip: b"ffconcat version 1.0\nfile clip.mkv\n", 3, "it is no video"),
        (lambda clip: clip[: len(clip) // 20], 3, "it"),
        (lambda clip: b"YUV4MPEG2 W8 H8\nFRAME\nxx", 3, "ends within frame 1"),
        (lambda clip: b"YUV4MPEG2 W8 H8\n", 3, "holds no frame"),
        (lambda clip: b"YUV4MPEG2 W99999 H99999\n", 3, "raise --max-pixels"),
        (lambda clip: b"YUV4MPEG2 W16000 H9000\n", 6, "MiB of memory"),
    ],
)
def test_what_is_refused(enlarge, make_clip, tmp_path, make, code, message):
    (tmp_path / "bad").write_bytes(make(make_clip().read_bytes()))
    found, out, err = enlarge("bad", "-o", "out.mkv")
    assert (found, out) == (code, "")
    assert err.startswith("scales: error: bad: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.mkv").exists()
    assert not left_over(tmp_path)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("-o", "out.jpg"), 4, "names no video"),
        (("-o", "out.mkv", "--codec", "h265"), 2, "h264, hevc"),
        (("-o", "out.mkv", "--codec", "ffv1", "--crf", "3"), 2, "leave --crf out"),
        (("-o", "out.webm", "--codec", "h264"), 2, "holds no h264"),
        (("-o", "out.mkv", "--start", "2", "--end", "1"), 2, "--end is not after"),
        (("-o", "out.mkv", "--start", "soon"), 2, "no time"),
        (("-o", "out.mkv", "--denoise", "40"), 2, "does not mend"),
        (("-o", "-", "--json"), 2, "cannot share"),
        (("-o", "-", "--keep-partial"), 2, "is for files"),
        (("-o", "clip.mkv"), 4, "exists"),
        (("-o", "no/such.mkv", "--start", "99"), 3, "no frame"),
    ],
)
def test_options_that_are_refused(enlarge, make_clip, tmp_path, options, code, message):
    clip = make_clip()
    before = clip.read_bytes()
    found, out, err = enlarge(clip, *options)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert clip.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


@pytest.mark.parametrize(("kind", "code", "message"), [(b"V_MPEG4/ISO/AVC", 3, "codec"), (b"A_AAC", 0, "left out")])
def test_codecs_that_are_not_known(enlarge, make_clip, kind, code, message):
    """Video is refused, sound is left out and named."""
    data = make_clip(sound=True).read_bytes()
    assert data.count(kind) == 1
    Path("strange.mkv").write_bytes(data.replace(kind, kind[:2] + b"X" * (len(kind) - 2)))
    found, _, err = enlarge("strange.mkv", "-o", "out.mkv")
    assert (found, err.count("\n")) == (code, 1)
    assert message in err


def test_interlaced_video_is_refused(enlarge, make_clip):
    source = make_clip(size=(64, 64), options={"x264-params": "tff=1"})
    code, _, err = enlarge(source, "-o", "out.mkv")
    assert code == 3
    assert "interlaced" in err
    assert "bwdif" in err


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_nothing(make_clip, tmp_path, signal_number):
    source = make_clip(size=(320, 240), count=60)
    command = [sys.executable, "-m", "scales_cli", "video", str(source), "-o", str(tmp_path / "out.mkv"), "-t", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not left_over(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal_number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if signal_number == signal.SIGINT else 143)
    assert b"Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv"]


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.y4m"])
def test_a_part_is_kept_if_that_is_asked_for(make_clip, tmp_path, name):
    """An interrupt after the third frame."""

    def interrupt(done):
        if done >= 3:
            raise KeyboardInterrupt

    source, target, kept = make_clip(count=30, sound=True), tmp_path / name, []
    with pytest.raises(KeyboardInterrupt):
        enlarge_video(
            str(source),
            target,
            Upscalers(resolve("tiny"), 1),
            Sizing.of(2, None, None, None, scales=(2,), default=2),
            VideoOptions(keep_partial=True),
            max_pixels=10**9,
            watch=lambda total: interrupt,
            kept=kept.append,
        )
    assert 3 <= kept[0] < 15
    assert len(decoded(target)[1]) == kept[0]


def test_ctrl_c_keeps_a_part(make_clip, tmp_path):
    source, target = make_clip(size=(320, 240), count=90), tmp_path / "out.y4m"
    command = [sys.executable, "-m", "scales_cli", "video", str(source), "-o", str(target), "-t", "1", "--keep-partial"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 10**6 for path in tmp_path.glob("*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    count = int(re.fullmatch(rb"scales: .*: the first (\d+) frames were kept\nscales: interrupted\n", err)[1])
    assert 0 < count < 90
    assert target.read_bytes().count(b"FRAME\n") == count


def test_a_part_of_what_is_damaged_is_kept(enlarge, make_clip, tmp_path):
    enlarge(make_clip(codec="ffv1"), "-o", "in.y4m")
    whole = Path("in.y4m").read_bytes()
    Path("cut.y4m").write_bytes(whole[: 3 * len(whole) // 4])
    code, _, err = enlarge("cut.y4m", "-o", "out.mkv", "--keep-partial")
    assert (code, err.splitlines()[0]) == (3, "scales: out.mkv: the first 3 frames were kept")
    assert "cut.y4m: the Y4M stream ends within frame 4" in err.splitlines()[1]
    assert len(decoded("out.mkv")[1]) == 3


@pytest.mark.parametrize("count", [8, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.webm", "clip.avi"])
def test_mutated_files_are_enlarged_or_refused(enlarge, make_clip, rng, tmp_path, name, count):
    codec = "libvpx-vp9" if name.endswith("webm") else "mpeg4" if name.endswith("avi") else "libx264"
    data = make_clip(name, size=(32, 32), count=3, codec=codec).read_bytes()
    (tmp_path / name).unlink()
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 12)):
            changed[rng.integers(len(data))] = rng.integers(256)
        if rng.random() < 0.3:
            del changed[rng.integers(len(data)) :]
        Path("bad.bin").write_bytes(changed)
        code, _, err = enlarge("bad.bin", "-o", "out.mkv", "--overwrite")
        assert code in (0, 3, 4, 6), err
        assert "unexpected" not in err, err
        assert code == 0 or err.count("scales: error") == 1
        assert code == 0 or not left_over(tmp_path)
        Path("out.mkv").unlink(missing_ok=True)


def test_help_and_pictures_do_not_load_it():
    script = "import sys; from scales_cli.cli.app import main; main(['video', '--help']); sys.exit('av' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=60).returncode == 0
    )
