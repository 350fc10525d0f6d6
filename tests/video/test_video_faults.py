"""What is wrong with a video ends in one line and the right exit code, and leaves nothing behind."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import wait_for

pytest.importorskip("scales_cli.engine._native")
av = pytest.importorskip("av")

from scales_cli.pipeline.sizing import Sizing  # noqa: E402
from scales_cli.pipeline.upscalers import Upscalers  # noqa: E402
from scales_cli.video.run import VideoOptions, enlarge_video, open_reader  # noqa: E402
from scales_cli.weights.family import resolve  # noqa: E402


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
def test_what_is_refused(enlarge, make_clip, tmp_path, make, code, message, left_over):
    (tmp_path / "bad").write_bytes(make(make_clip().read_bytes()))
    found, out, err = enlarge("bad", "-o", "out.mkv")
    assert (found, out) == (code, "")
    assert err.startswith("scales: error: bad: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.mkv").exists()
    assert not left_over()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("-o", "out.jpg"), 4, "names no video"),
        (("-o", "out.mkv", "--codec", "h265"), 2, "h264, hevc"),
        (("-o", "out.mkv", "--codec", "ffv1", "--crf", "3"), 2, "leave --crf out"),
        (("-o", "out.mkv", "--codec", "h264", "--crf", "63"), 2, "give 0 to 51"),
        (("-o", "out.y4m", "--codec", "h264"), 2, "not for Y4M"),
        (("-o", "-", "--crf", "5"), 2, "not for Y4M"),
        (("-o", "out.webm", "--codec", "h264"), 2, "holds no h264"),
        (("-o", "out.mov", "--codec", "av1"), 2, "holds no av1"),
        (("-o", "out.webm", "--codec", "same"), 2, "holds no h264"),
        (("-o", "out.mkv", "--start", "2", "--end", "1"), 2, "--end is not after"),
        (("-o", "out.mkv", "--start", "soon"), 2, "no time"),
        (("-o", "out.mkv", "--denoise", "40"), 2, "does not mend"),
        (("-o", "-", "--json"), 2, "cannot share"),
        (("-o", "-", "--keep-partial"), 2, "is for files"),
        (("-o", "clip.mkv"), 4, "is the input"),
        (("-o", "./clip.mkv", "--overwrite", "--keep-partial"), 4, "is the input"),
        (("-o", "s3://bucket/out.mkv"), 2, "written to files"),
        (("-o", "no/such.mkv", "--start", "99"), 2, "--start 99 is after the end (0.2 s)"),
        (("-o", "out.mkv", "--start", "0.05", "--end", "0.06"), 2, "no frame begins between"),
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
def test_signals_leave_nothing(start_scales, make_clip, tmp_path, signal_number, left_over):
    source = make_clip(size=(320, 240), count=60)
    process = start_scales("video", source, "-o", tmp_path / "out.mkv", "-t", 1, "-m", "base")  # for half a minute
    assert wait_for(left_over)
    time.sleep(0.2)
    process.send_signal(signal_number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == (130 if signal_number == signal.SIGINT else 143)
    assert b"Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv"]


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.y4m"])
def test_a_part_is_kept_if_that_is_asked_for(make_clip, tmp_path, name, decoded):
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


def test_ctrl_c_keeps_a_part(start_scales, make_clip, tmp_path):
    source, target = make_clip(size=(320, 240), count=60), tmp_path / "out.y4m"
    process = start_scales("video", source, "-o", target, "-t", 1, "-m", "base", "--keep-partial")
    assert wait_for(lambda: any(path.stat().st_size > 10**5 for path in tmp_path.glob("*.tmp")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    count = int(re.fullmatch(rb"scales: .*: the first (\d+) frames were kept\nscales: interrupted\n", err)[1])
    assert 0 < count < 60
    assert target.read_bytes().count(b"FRAME\n") == count


def test_a_part_of_what_is_damaged_is_kept(enlarge, make_clip, tmp_path, decoded):
    enlarge(make_clip(codec="ffv1"), "-o", "in.y4m")
    whole = Path("in.y4m").read_bytes()
    Path("cut.y4m").write_bytes(whole[: 3 * len(whole) // 4])
    code, _, err = enlarge("cut.y4m", "-o", "out.mkv", "--keep-partial")
    assert (code, err.splitlines()[0]) == (3, "scales: out.mkv: the first 3 frames were kept")
    assert "cut.y4m: the Y4M stream ends within frame 4" in err.splitlines()[1]
    assert len(decoded("out.mkv")[1]) == 3


def mutated(rng, data):
    changed = bytearray(data)
    for _ in range(rng.integers(1, 12)):
        changed[rng.integers(len(data))] = rng.integers(256)
    if rng.random() < 0.3:
        del changed[rng.integers(len(data)) :]
    return bytes(changed)


@pytest.fixture(params=["clip.mp4", "clip.mkv", "clip.webm", "clip.avi"])
def small_file(request, make_clip):
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(Path(request.param).suffix, "libx264")
    path = make_clip(request.param, size=(32, 32), count=3, codec=codec)
    data = path.read_bytes()
    path.unlink()
    return data


READ_ALL = """
import resource, sys, time
from pathlib import Path
from scales_cli.errors import InputError
from scales_cli.video.run import open_reader
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
for path in sorted(Path(sys.argv[1]).iterdir()):
    started = time.process_time()
    try:
        with open_reader(str(path)) as reader:
            print(path.name, sum(1 for _ in reader.frames()), end=" ")
    except InputError as error:
        print(path.name, "refused", end=" ")
    print(time.process_time() - started, flush=True)
"""


def test_mutated_files_are_read_or_refused(small_file, rng, tmp_path):
    """In a process of its own, whose end would be seen, with little memory and time."""
    folder = tmp_path / "mutated"
    folder.mkdir()
    for index in range(50):
        (folder / f"{index:02}").write_bytes(mutated(rng, small_file))
    result = subprocess.run([sys.executable, "-c", READ_ALL, str(folder)], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert len(lines) == 50
    assert {outcome for _, outcome, _ in lines} >= {"refused", "3"}
    assert max(float(seconds) for _, _, seconds in lines) < 5


@pytest.mark.parametrize(("name", "share"), [("clip.mkv", 0.6), ("clip.avi", 0.2)])  # of which an index is a half
def test_files_that_are_cut_off_are_refused(enlarge, make_clip, decoded, name, share):
    """Though what there is could be read as if it were all."""
    data = make_clip(name, size=(32, 32), count=40, codec="mpeg4", max_b_frames=0).read_bytes()
    Path("half.bin").write_bytes(data[: round(share * len(data))])
    code, _, err = enlarge("half.bin", "-o", "out.mkv")
    assert (code, err.count("\n")) == (3, 1)
    assert re.search(r"half.bin: it ends after [01]\.\d of 1\.6 seconds", err)
    assert not Path("out.mkv").exists()
    assert enlarge("half.bin", "-o", "out.mkv", "--keep-partial")[0] == 3
    assert 5 < len(decoded("out.mkv")[1]) < 35


@pytest.fixture
def make_subtitled(make_clip, tmp_path):
    """A clip of 3 seconds, some with sound, and one subtitle until `seconds`."""

    def make(seconds):
        clip, path = make_clip("film.mkv", count=75, sound=True, max_b_frames=0, gop_size=5), tmp_path / "subtitled.mkv"
        (tmp_path / "words.srt").write_text(f"1\n00:00:00,000 --> 00:00:0{seconds},900\nHello\n")
        with av.open("words.srt") as words, av.open(str(clip)) as film, av.open(str(path), "w") as output:
            sources = (words, film)
            copies = [[output.add_stream_from_template(stream) for stream in source.streams] for source in sources]
            for source, copy in zip(sources, copies, strict=True):
                for packet in source.demux():
                    if packet.size:
                        packet.stream = copy[packet.stream.index]
                        output.mux(packet)
        return path

    return make


def test_a_film_is_cut_off_though_a_subtitle_goes_on(enlarge, make_subtitled):
    data = make_subtitled(2).read_bytes()
    Path("half.mkv").write_bytes(data[: len(data) // 2])
    code, _, err = enlarge("half.mkv", "-o", "out.mkv")
    assert code == 3
    assert re.search(r"half.mkv: it ends after [12]\.\d of 3\.0 seconds", err)


def test_a_film_is_whole_though_a_subtitle_outlasts_it(enlarge, make_subtitled):
    assert enlarge(make_subtitled(8), "-o", "out.mkv")[0] == 0


def test_little_may_be_missing_of_a_short_clip(enlarge, make_clip):
    """Less than half a second is missing, but more than a twentieth."""
    data = make_clip(size=(32, 32), count=25, codec="mpeg4", max_b_frames=0, gop_size=1).read_bytes()
    Path("short.mkv").write_bytes(data[: round(0.75 * len(data))])
    code, _, err = enlarge("short.mkv", "-o", "out.mkv")
    assert code == 3
    assert re.search(r"it ends after 0\.[6-9] of 1\.0 seconds", err)


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.webm", "clip.avi"])
def test_whole_clips_are_not_taken_for_cut_off(make_clip, name, sound, uneven):
    """Of .avi with H.264 too, in which no frame says when it is shown."""
    times = [40 * index + 120 * (index // 7) for index in range(25)] if uneven else None
    webm = name.endswith("webm")
    source = make_clip(name, count=25, times=times, codec="libvpx-vp9" if webm else "libx264", sound=sound and not webm)
    with open_reader(str(source)) as reader:
        assert sum(1 for _ in reader.frames()) == 25


def test_what_states_no_length_is_enlarged_as_far_as_it_goes(enlarge, make_clip, decoded):
    """As the README says: of .ts nobody can tell a part from the whole."""
    data = make_clip("clip.ts", count=50, max_b_frames=0, gop_size=5).read_bytes()
    Path("half.ts").write_bytes(data[: len(data) // 376 * 188])
    assert enlarge("half.ts", "-o", "out.mkv")[0] == 0
    assert 10 < len(decoded("out.mkv")[0]) < 40


@pytest.mark.parametrize("count", [3, pytest.param(500, marks=pytest.mark.slow)])
def test_mutated_files_are_enlarged_or_refused(enlarge, left_over, small_file, rng, count):
    for _ in range(count):
        Path("bad.bin").write_bytes(mutated(rng, small_file))
        code, _, err = enlarge("bad.bin", "-o", "out.mkv", "--overwrite")
        assert code in (0, 3, 4, 6), err
        assert "unexpected" not in err, err
        assert code == 0 or err.count("scales: error") == 1
        assert code == 0 or not left_over()
        Path("out.mkv").unlink(missing_ok=True)


def test_times_that_go_back_are_put_in_order(enlarge, make_clip, tmp_path, decoded):
    source, disordered = make_clip(count=6, max_b_frames=0), tmp_path / "disordered.mkv"
    with av.open(str(source)) as container, av.open(str(disordered), "w") as output:
        copy = output.add_stream_from_template(container.streams.video[0])
        for index, packet in enumerate(packet for packet in container.demux(video=0) if packet.size):
            packet.stream, packet.pts, packet.dts = copy, [0, 40, 40, 30, 160, 200][index], index - 6
            output.mux(packet)
    assert enlarge(disordered, "-o", "out.mkv")[0] == 0
    assert [float(time) for time in decoded("out.mkv")[0]] == [0, 0.04, 0.041, 0.042, 0.16, 0.2]


def test_a_video_that_exists_is_not_replaced(enlarge, make_clip):
    Path("out.mkv").write_bytes(b"mine")
    code, _, err = enlarge(make_clip(), "-o", "out.mkv")
    assert (code, Path("out.mkv").read_bytes()) == (4, b"mine")
    assert "exists" in err
