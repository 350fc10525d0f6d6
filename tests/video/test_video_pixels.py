"""What pixels and their colors become."""

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scales_cli.engine._native")
av = pytest.importorskip("av")

from scales_cli.video.run import open_reader  # noqa: E402


@pytest.fixture
def make_rgb(tmp_path):
    """A clip of one flat color."""

    def make(name, codec, pixels, color=(200, 40, 90), size=(32, 32)):
        path = tmp_path / name
        with av.open(str(path), "w") as output:
            stream = output.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            picture = np.full((size[1], size[0], 3), color, np.uint8)
            for index in range(2):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixels)
                frame.pts = index
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return make


def shown(frame):
    """The color that a player shows, by the tags of the frame."""
    codes = np.array([np.median(plane) for plane in planes(frame)]) / (1 << (frame.format.components[0].bits - 8))
    red, blue = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}[int(frame.colorspace)]
    assert int(frame.color_range) == 1
    luma, b_y, r_y = (codes[0] - 16) / 219, (codes[1] - 128) / 224, (codes[2] - 128) / 224
    r, b = luma + 2 * (1 - red) * r_y, luma + 2 * (1 - blue) * b_y
    return 255 * np.array([r, (luma - red * r - blue * b) / (1 - red - blue), b])


def planes(frame):
    kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    return [np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "made"),
    [
        ("clip.mkv", "ffv1", "bgr0", "yuv444p"),
        ("clip.mkv", "libx264rgb", "rgb24", "yuv444p"),
        ("clip.mkv", "ffv1", "gbrp10le", "yuv444p10le"),
        ("clip.mov", "png", "rgb48be", "yuv444p12le"),
        ("clip.mov", "qtrle", "rgb24", "yuv444p"),
    ],
)
def test_rgb_is_shown_in_its_colors(enlarge, make_rgb, decoded, name, codec, pixels, made):
    source = make_rgb(name, codec, pixels)
    code, out, _ = enlarge(source, "-o", "out.mkv", "--codec", "ffv1", "--json")
    frame = decoded("out.mkv")[1][0]
    assert (code, frame.format.name) == (0, made)
    (note,) = json.loads(out)["notes"]
    assert "were converted to YCbCr 4:4:4" in note
    assert np.abs(shown(frame) - (200, 40, 90)).max() < 2


def test_rgb_of_hd_is_of_bt709(enlarge, make_rgb, decoded):
    source = make_rgb("clip.mkv", "ffv1", "bgr0", size=(16, 580))
    assert enlarge(source, "-o", "out.mkv", "--codec", "hevc")[0] == 0
    frame = decoded("out.mkv")[1][0]
    assert int(frame.colorspace) == 1
    assert np.abs(shown(frame) - (200, 40, 90)).max() < 3


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [("png", "rgba"), ("ffv1", "bgra"), ("ffv1", "ya8"), ("ffv1", "yuva420p"), ("ffv1", "yuva444p10le")],
)
def test_transparency_that_is_left_out_is_said(enlarge, make_rgb, codec, pixels):
    source = make_rgb("clip.mov" if codec == "png" else "clip.mkv", codec, pixels)
    code, out, _ = enlarge(source, "-o", "out.mkv", "--codec", "ffv1", "--json")
    assert code == 0
    assert "its transparency was left out" in json.loads(out)["notes"]


def test_transparency_of_vp9_is_left_out_with_its_tag(enlarge, make_rgb, copied):
    def tag(stream):
        stream.metadata["alpha_mode"] = "1"

    source = copied("clip.webm", make_rgb("plain.webm", "libvpx-vp9", "yuv420p"), change_stream=tag)
    code, out, _ = enlarge(source, "-o", "out.webm", "--json")
    assert (code, json.loads(out)["notes"]) == (0, ["its transparency was left out"])
    with av.open("out.webm") as container:
        assert "alpha_mode" not in {name.lower() for name in container.streams.video[0].metadata}


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mov"])
def test_interlaced_video_is_refused_by_its_header(enlarge, make_clip, name):
    """Decoders of MJPEG do not tell it of frames."""
    source = make_clip(name, codec="mjpeg", pixels="yuvj420p", count=2, field_order=2)
    code, _, err = enlarge(source, "-o", "out.mkv")
    assert code == 3
    assert "it is interlaced (its header says so)" in err


@pytest.mark.parametrize(
    ("codec", "pixels", "left"),
    [
        ("libx264", "yuvj420p", True),
        ("libx264", "yuv420p", True),
        ("mjpeg", "yuvj420p", False),
        ("mpeg1video", "yuv420p", False),
    ],
)
def test_chroma_lies_where_the_codec_has_it(make_clip, codec, pixels, left):
    """Whatever the range."""
    source = make_clip(codec=codec, pixels=pixels, count=2, time_base=Fraction(1, 25))
    with open_reader(str(source)) as reader:
        assert reader.format.pixels.left == left


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="PyAV does not tell")
@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize(("space", "place"), [("420jpeg", "center"), ("420paldv", "topleft"), ("420mpeg2", "left")])
def test_the_place_of_chroma_is_told(enlarge, space, place, codec):
    Path("clip.y4m").write_bytes(
        f"YUV4MPEG2 W32 H32 F25:1 C{space}\n".encode() + (b"FRAME\n" + bytes(range(256)) * 6) * 2
    )
    assert enlarge("clip.y4m", "-o", "out.mkv", "--codec", codec)[0] == 0
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=chroma_location", "-of", "csv=p=0", "out.mkv"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert told == place or (told, place) == ("unspecified", "left")
