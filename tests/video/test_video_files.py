"""`scales video` on files: what a clip has beside its pixels is kept."""

import json
import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")
av = pytest.importorskip("av")
from av.video.frame import PictureType  # noqa: E402

from scales_cli.video.container_writer import ContainerWriter  # noqa: E402
from scales_cli.video.run import open_reader  # noqa: E402


def test_json_says_what_became_of_it(enlarge, make_clip):
    code, out, err = enlarge(make_clip(), "-o", "out.mkv", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert (result["width"], result["height"], result["frames"], result["output"]) == (128, 96, 5, "out.mkv")


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.mov"])
def test_sound_times_and_tags_are_kept(enlarge, make_clip, name, decoded):
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


@pytest.mark.parametrize("name", ["clip.avi", "clip.h264"])
def test_frames_without_times_follow_one_another(enlarge, make_clip, name, decoded):
    """.avi does not say when frames are shown, which are not decoded in that order; bare streams say nothing."""
    source = make_clip(name, count=9, max_b_frames=2)
    assert enlarge(source, "-o", "out.mkv")[0] == 0
    times, frames = decoded("out.mkv")
    assert np.allclose(np.diff([float(time) for time in times]), 0.04, atol=0.0011)
    moved = [np.abs(frame.to_ndarray().astype(int) - frames[0].to_ndarray()).mean() for frame in frames]
    assert len(moved) == 9
    assert moved == sorted(moved)


@pytest.mark.parametrize(("name", "count"), [("out.mp4", 1), ("out.mkv", 2)])
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "ffv1"])
def test_few_frames(enlarge, make_clip, decoded, codec, name, count):
    """Fewer than encoders wait for."""
    source = make_clip(count=count, times=[0, 4])  # so close that SVT-AV1 refused the rate
    code, _, err = enlarge(source, "-o", name, "--codec", codec)
    assert (code, err) == (0, "")
    assert decoded(name)[0] == [Fraction(time, 1000) for time in (0, 4)[:count]]


def test_hevc_of_two_frames_is_decoded_when_it_is_shown(make_clip, tmp_path, rng):
    """Several times, for x265's own times of decoding are what there was in memory."""
    for _ in range(8):
        _ = [rng.bytes(size) for size in (10**4, 10**5, 10**6, 10**6)]
        with open_reader(str(make_clip(count=2, codec="ffv1"))) as reader, (tmp_path / "out.mp4").open("wb") as stream:
            writer = ContainerWriter(stream, tmp_path / "out.mp4", reader, reader.format, "hevc", None)
            for frame in reader.frames():
                writer.write(frame)
            writer.close()
            writer.abandon()
        with av.open(str(tmp_path / "out.mp4")) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            assert [(packet.pts, packet.dts) for packet in packets] == [(0, 0), (640, 640)]


def test_frames_are_not_reordered_in_avi(enlarge, make_clip, decoded):
    """For it does not say when they are shown."""
    assert enlarge(make_clip(count=9), "-o", "out.avi")[0] == 0
    times, frames = decoded("out.avi")
    assert times == sorted(times)
    assert {PictureType(frame.pict_type).name for frame in frames} == {"I", "P"}


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


def test_a_part_has_its_own_times(enlarge, make_clip, tmp_path):
    """Of 0.8 seconds with a chapter of each half and a subtitle from 0.1 to 0.6 those from 0.2 to 0.3 on."""
    source, tagged = make_clip(count=20, max_b_frames=0), tmp_path / "tagged.mkv"
    (tmp_path / "words.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nHello\n")
    with av.open(str(source)) as video, av.open("words.srt") as words, av.open(str(tagged), "w") as output:
        halves = ((0, 400), (400, 800))
        output.set_chapters(
            [
                {"id": index, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {}}
                for index, (start, end) in enumerate(halves)
            ]
        )
        copies = [output.add_stream_from_template(container.streams[0]) for container in (words, video)]
        for container, copy in zip((words, video), copies, strict=True):
            for packet in container.demux():
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
    assert enlarge(tagged, "-o", "out.mkv", "--start", "0.2", "--end", "0.3", "--codec", "same")[0] == 0
    with av.open("out.mkv") as container:
        times = [[part[side] * part["time_base"] for side in ("start", "end")] for part in container.chapters()]
        assert times == [[0, Fraction(1, 10)]]
        (word,) = [packet for packet in container.demux(subtitles=0) if packet.size]
        assert (bytes(word), word.pts, word.duration) == (b"Hello", 0, 400)
        assert container.streams.video[0].codec_context.name == "h264"


def test_what_has_no_place_is_named(enlarge, make_clip):
    code, _, err = enlarge(make_clip(sound=True), "-o", "out.webm")
    assert code == 0
    assert "its stream 1 (audio, aac) was left out: .webm has no place for it" in err


def test_ten_bits_stay_ten_bits(enlarge, make_clip, decoded):
    source = make_clip(codec="ffv1", pixels="yuv420p10le", color_range=2)
    assert enlarge(source, "-o", "out.mkv", "--codec", "ffv1")[0] == 0
    frame = decoded("out.mkv")[1][0]
    assert (frame.format.name, int(frame.color_range)) == ("yuv420p10le", 2)
    assert np.unique(frame.to_ndarray() % 4).size == 4


@pytest.fixture
def turned(make_clip, copied):
    """A clip of 64 x 48 that is shown as 48 x 64."""
    return copied(
        "turned.mp4", make_clip("clip.mp4", max_b_frames=0), change_stream=lambda one: one.set_display_rotation(90)
    )


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_rotation_is_kept(enlarge, turned, decoded, name):
    assert enlarge(turned, "-o", name)[0] == 0
    assert decoded(name)[1][0].rotation == decoded(turned)[1][0].rotation == 90


def test_bounds_are_those_of_what_is_shown(enlarge, turned, decoded):
    assert enlarge(turned, "-o", "out.mp4", "--height", "128")[0] == 0
    assert enlarge(turned, "-o", "small.mp4", "--width", "72")[0] == 0
    sizes = [(frame.width, frame.height) for frame in (decoded(name)[1][0] for name in ("out.mp4", "small.mp4"))]
    assert sizes == [(128, 96), (96, 72)]


@pytest.mark.parametrize(("name", "place"), [("out.y4m", "Y4M"), ("out.avi", ".avi")])
def test_rotation_that_is_not_kept_is_told(enlarge, turned, name, place):
    code, out, _ = enlarge(turned, "-o", name, "--height", "96", "--json")
    note = f"its rotation by 90 degrees was not kept: {place} has no place for it"
    assert (code, json.loads(out)["notes"], json.loads(out)["height"]) == (0, [note], 96)


@pytest.mark.parametrize(("matrix", "angle"), [((-1, 0, 0, 1), 0), ((1, 0, 0, -1), 0), ((0, 1, 1, 0), 90)])
def test_being_mirrored_is_no_turn(enlarge, turned, decoded, matrix, angle):
    """Matrices that mirror are put into a file in the place of one that turns."""
    data = turned.read_bytes()
    turn = struct.pack(">5i", 0, 2**16, 0, -(2**16), 0)
    turn = turn if data.count(turn) == 1 else struct.pack(">5i", 0, -(2**16), 0, 2**16, 0)
    assert data.count(turn) == 1
    across, skewed, other, down = (2**16 * number for number in matrix)
    Path("mirrored.mp4").write_bytes(data.replace(turn, struct.pack(">5i", across, skewed, 0, other, down)))
    code, out, _ = enlarge("mirrored.mp4", "-o", "out.mp4", "--json")
    assert (code, json.loads(out)["notes"]) == (0, ["it is shown mirrored, which was not kept"])
    assert abs(decoded("out.mp4")[1][0].rotation) == angle


@pytest.mark.parametrize(("codec", "within"), [("hevc", 0), ("av1", 1e-3)])
def test_hdr_mastering_data_is_kept(enlarge, make_clip, codec, within, decoded):
    """Of 10 bits: the colors of the screen, its darkest and brightest, and how bright the video gets."""
    screen = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    options = {"x265-params": f"log-level=none:bframes=0:{screen}:max-cll=1000,400"}
    source = make_clip(codec="libx265", pixels="yuv420p10le", size=(64, 64), count=2, options=options, color_trc=16)
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


def test_a_part_of_it(enlarge, make_clip, decoded):
    source = make_clip(count=20, sound=True)
    assert enlarge(source, "-o", "out.mkv", "--start", "0.2", "--end", "0.48")[0] == 0
    assert decoded("out.mkv")[0] == [Fraction(40 * index, 1000) for index in range(7)]


def test_a_height_between(enlarge, make_clip, decoded):
    assert enlarge(make_clip(), "-o", "out.mkv", "--height", "80")[0] == 0
    frame = decoded("out.mkv")[1][0]
    assert (frame.width, frame.height) == (106, 80)


def test_y4m_in_and_out_equals_files(enlarge, make_clip, tmp_path, decoded):
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


def test_a_pipe_of_y4m(start_scales):
    """From standard input to standard output, in a process of its own; nothing else is printed there."""
    frames = b"FRAME\n" + bytes(range(256)) * 6
    process = start_scales("video", "-", "-o", "-", "-t", 2, stdin=subprocess.PIPE)
    out, err = process.communicate(b"YUV4MPEG2 W32 H32 C420\n" + 3 * frames, timeout=300)
    assert (process.returncode, err) == (0, b"")
    assert len(out.partition(b"\n")[2]) == 3 * (6 + 64 * 96)


def test_help_and_pictures_do_not_load_it():
    script = "import sys; from scales_cli.cli.app import main; main(['video', '--help']); sys.exit('av' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=300).returncode
        == 0
    )


def test_y4m_says_that_it_holds_no_sound(enlarge, make_clip):
    source = make_clip(sound=True)
    code, out, _ = enlarge(source, "-o", "a.y4m", "--json")
    assert code == 0
    assert json.loads(out)["notes"] == ["its other streams (audio) were left out: Y4M has no place for them"]
    with open_reader(str(source)) as reader:
        reader.leave_others()
        assert len(list(reader.frames())) == 5
        assert not reader.passed  # or long sound would fill the memory


def test_another_size_than_asked_for_is_said(enlarge, make_clip):
    code, out, err = enlarge(make_clip(), "-o", "a.mkv", "--width", "101", "--json")
    done = json.loads(out)
    assert (code, done["width"], done["height"]) == (0, 100, 76)
    assert done["notes"] == ["it is 100 x 76 pixels, not 101 x 76: chroma covers several"]
    assert done["notes"][0] in err
    assert (
        json.loads(enlarge(make_clip(pixels="yuv444p"), "-o", "b.mkv", "--width", "101", "--json")[1])["width"] == 101
    )


def test_the_end_is_where_it_is_asked_for_in_slow_videos(enlarge, make_clip, decoded):
    """Of which a decoder holds back many seconds."""
    source = make_clip(count=20, times=range(0, 20_000, 1000))
    assert enlarge(source, "-o", "out.mkv", "--end", "10")[0] == 0
    assert decoded("out.mkv")[0] == list(range(10))


def test_times_count_from_the_beginning_whatever_the_file_calls_it(enlarge, make_clip, decoded):
    source = make_clip("clip.ts", count=25, times=range(100_000, 101_000, 40))
    with av.open(str(source)) as container:
        assert container.start_time > 99 * 10**6
    code, _, err = enlarge(source, "-o", "out.mkv", "--start", "0.2", "--end", "0.6")
    assert (code, err) == (0, "")
    assert len(decoded("out.mkv")[0]) == 10


def test_the_size_that_is_told_is_the_files(enlarge, make_clip, decoded):
    code, out, _ = enlarge(make_clip(size=(51, 39), pixels="yuv420p", codec="ffv1"), "-s", "3", "-o", "o.mkv", "--json")
    frame = decoded("o.mkv")[1][0]
    assert (code, json.loads(out)["width"], json.loads(out)["height"]) == (0, frame.width, frame.height)


def test_tags_that_count_are_not_copied(enlarge, make_clip, copied):
    counts = ["DURATION-eng", "BPS", "BPS-eng", "NUMBER_OF_FRAMES-eng", "_STATISTICS_TAGS-eng", "title"]

    def tag(stream):
        stream.metadata.update(dict.fromkeys(counts, "stale"))

    source = copied("tagged.mkv", make_clip(sound=True, max_b_frames=0), change_stream=tag)
    assert enlarge(source, "-o", "out.mkv", "--end", "0.1")[0] == 0
    with av.open("out.mkv") as container:
        for stream in container.streams:
            assert [name for name, text in stream.metadata.items() if text == "stale"] == ["title"]


def test_a_further_video_is_left_out_for_what_it_is(enlarge, make_clip, copied):
    source = copied("two.mkv", *(make_clip(name, max_b_frames=0) for name in ("a.mkv", "b.mkv")))
    code, out, _ = enlarge(source, "-o", "out.mkv", "--json")
    assert (code, json.loads(out)["notes"]) == (0, ["its stream 1 (video, h264) was left out: one video is enlarged"])
