"""When frames are shown, and for how long."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("scales_cli.engine._native")
av = pytest.importorskip("av")

TS_PACKET, SOUND_PID = 188, 0x101


@pytest.fixture
def slides(make_clip, copied):
    """Three pictures, shown for 2, 2 and 7 seconds."""

    def lengthen(packet):
        packet.duration = 7000 if packet.pts == 4000 else 2000

    source = make_clip("uneven.mkv", count=3, times=[0, 2000, 4000], max_b_frames=0)
    return copied("slides.mkv", source, change_packet=lengthen)


@pytest.fixture
def broadcast(make_clip, copied):
    """A clip whose times begin at 100 seconds."""

    def later(packet):
        packet.pts += round(100 / packet.time_base)
        packet.dts = packet.pts

    return copied("late.ts", make_clip(sound=True, max_b_frames=0, count=20), change_packet=later)


def starts(name):
    """Of each stream."""
    with av.open(str(name)) as container:
        found = {}
        for packet in container.demux():
            if packet.size:
                found.setdefault(packet.stream.type, packet.pts * packet.time_base)
        return found


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("out.mp4", "h264"),
        ("out.mkv", "h264"),
        ("out.mkv", "hevc"),
        ("out.mkv", "av1"),
        ("out.webm", "vp9"),
        ("out.mkv", "ffv1"),
    ],
)
def test_the_last_frame_is_shown_as_long(enlarge, slides, name, codec):
    assert enlarge(slides, "-o", name, "--codec", codec)[::2] == (0, "")
    with av.open(name) as container:
        assert container.duration == 11 * 10**6


def test_the_last_frame_is_shown_until_the_end_of_a_part(enlarge, slides):
    assert enlarge(slides, "-o", "out.mkv", "--end", "5")[0] == 0
    with av.open("out.mkv") as container:
        assert container.duration == 5 * 10**6


def test_times_of_ts_begin_at_zero(enlarge, broadcast):
    assert min(starts(broadcast).values()) > 99
    assert enlarge(broadcast, "-o", "out.mkv")[::2] == (0, "")
    before, after = starts(broadcast), starts("out.mkv")
    assert min(after.values()) == 0
    assert abs(after["video"] - after["audio"] - (before["video"] - before["audio"])) <= Fraction(1, 1000)


def test_ts_that_were_joined_are_refused(enlarge, broadcast, decoded):
    Path("joined.ts").write_bytes(2 * broadcast.read_bytes())
    code, _, err = enlarge("joined.ts", "-o", "out.mkv", "--keep-partial")
    assert code == 3
    assert re.search(r"its times go back from 10\d\.\d to 10\d\.\d seconds", err)
    assert len(decoded("out.mkv")[0]) >= 19  # of 20: the last may lie behind what follows


def test_damaged_sound_is_left_out(enlarge, broadcast, decoded):
    """A part of its first packet is missing."""
    data = broadcast.read_bytes()
    parts = [data[at : at + TS_PACKET] for at in range(0, len(data), TS_PACKET)]
    sound = [index for index, part in enumerate(parts) if int.from_bytes(part[1:3], "big") & 0x1FFF == SOUND_PID]
    Path("lost.ts").write_bytes(b"".join(part for index, part in enumerate(parts) if index not in sound[1:3]))
    code, out, _ = enlarge("lost.ts", "-o", "out.mkv", "--json")
    assert (code, json.loads(out)["notes"]) == (0, ["damaged packets of its stream 1 (audio) were left out"])
    assert len(decoded("out.mkv")[0]) == 20


def test_frames_of_avi_last_as_long_as_one(enlarge, make_clip, decoded):
    """In ticks of a millisecond, it held a hundred times as many."""
    source = make_clip(count=6, times=[0, 40, 80, 200, 240, 280])
    assert enlarge(source, "-o", "out.avi")[::2] == (0, "")
    with av.open("out.avi") as container:
        assert container.streams.video[0].time_base == Fraction(1, 25)
    assert [frame.dts for frame in decoded("out.avi")[1]] == [0, 1, 2, 5, 6, 7]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("out.avi", "the times of its frames were rounded to 1/25 s, as .avi has them"),
        ("out.y4m", "its frames are not shown equally long, which was not kept: Y4M has no place for times"),
    ],
)
def test_times_that_are_not_kept_are_told(enlarge, make_clip, name, note):
    code, out, _ = enlarge(make_clip(times=[0, 40, 55, 130, 170]), "-o", name, "--json")
    assert (code, json.loads(out)["notes"]) == (0, [note])
    assert json.loads(enlarge(make_clip(times=[0, 41, 80, 119, 160]), "-o", f"b{name}", "--json")[1])["notes"] == []
