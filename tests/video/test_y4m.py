"""Y4M: what is written is read again, real ffmpeg understands it, and damage is refused."""

import io
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from scales_cli.errors import InputError
from scales_cli.video.frame import Frame, PixelFormat, VideoFormat
from scales_cli.video.y4m import Y4MReader, Y4MWriter

FORMATS = [
    PixelFormat(subsampling, depth, full_range, left=subsampling == (2, 1) or depth > 8)
    for subsampling in ((2, 2), (2, 1), (1, 1), None)
    for depth in (8, 10, 12)
    for full_range in (False, True)
    if not (depth > 8 and subsampling == (1, 1))
]


def draw_frames(rng, video, count=2):
    return [
        Frame(
            tuple(
                rng.integers(0, video.pixels.white + 1, shape, video.pixels.dtype)
                for shape in video.pixels.shapes(video.width, video.height)
            )
        )
        for _ in range(count)
    ]


def written(video, frames):
    stream = io.BytesIO()
    writer = Y4MWriter(stream, video)
    for frame in frames:
        writer.write(frame)
    writer.close()
    return stream.getvalue()


@pytest.mark.parametrize("pixels", FORMATS, ids=str)
def test_what_is_written_is_read(rng, pixels):
    video = VideoFormat(7, 5, pixels, Fraction(30000, 1001), Fraction(4, 3))
    frames = draw_frames(rng, video)
    reader = Y4MReader(io.BytesIO(written(video, frames)))
    assert reader.format == video
    for expected, found in zip(frames, reader.frames(), strict=True):
        for one, other in zip(expected.planes, found.planes, strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le"])
def test_ffmpeg_writes_what_is_read_and_reads_what_is_written(tmp_path, name):
    source, raw = tmp_path / "in.y4m", tmp_path / "in.raw"
    made = ["-f", "lavfi", "-i", "testsrc2=size=34x20:rate=10:duration=0.3", "-pix_fmt", name, "-strict", "-1"]
    call("ffmpeg", *made, str(source))
    call("ffmpeg", "-i", str(source), "-f", "rawvideo", "-pix_fmt", name, str(raw))
    reader = Y4MReader(io.BytesIO(source.read_bytes()))
    frames = list(reader.frames())
    assert b"".join(plane.tobytes() for frame in frames for plane in frame.planes) == raw.read_bytes()
    (tmp_path / "out.y4m").write_bytes(written(reader.format, frames))
    call("ffmpeg", "-i", str(tmp_path / "out.y4m"), "-f", "rawvideo", "-pix_fmt", name, str(tmp_path / "out.raw"))
    assert (tmp_path / "out.raw").read_bytes() == raw.read_bytes()


def call(*command):
    subprocess.run([command[0], "-loglevel", "error", "-y", *command[1:]], check=True, timeout=300)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"RIFF\n", "no Y4M"),
        (b"\x00" * 4096, "no Y4M"),
        (b"YUV4MPEG2 W8 H8" + b" Xa" * 1000 + b"\n", "more than 1024"),
        (b"YUV4MPEG2 W8", "ends within a header"),
        (b"YUV4MPEG2 W8 F25:1\n", "no size"),
        (b"YUV4MPEG2 W0 H8\n", "no size"),
        (b"YUV4MPEG2 W8 H99999999\n", "no size"),
        (b"YUV4MPEG2 W8 H8 F1:\n", "no ratio"),
        (b"YUV4MPEG2 W8 H8 C444alpha\n", "444alpha"),
        (b"YUV4MPEG2 W8 H8 It\n", "interlaced"),
        (b"YUV4MPEG2 W8 H8 X\xff\n", "damaged"),
    ],
)
def test_headers_that_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        Y4MReader(io.BytesIO(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"FRAME\n" + bytes(95), "ends within frame 1"),
        (b"FRAME\n" + bytes(96) + b"FRAM", "frame 2 .* does not begin"),
        (b"FRAME\n" + bytes(97), "frame 2 .* does not begin"),
        (b"FRAME " + b"x" * 2000, "more than 1024|no Y4M"),
    ],
)
def test_frames_that_are_refused(data, message):
    reader = Y4MReader(io.BytesIO(b"YUV4MPEG2 W8 H8\n" + data))
    with pytest.raises(InputError, match=message):
        list(reader.frames())


def test_mutated_streams_are_read_or_refused(rng):
    video = VideoFormat(6, 4, PixelFormat(), Fraction(25))
    data = written(video, draw_frames(rng, video))
    for _ in range(500):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(min(len(data), 90))] = rng.integers(256)
        try:
            reader = Y4MReader(io.BytesIO(bytes(changed)))
            if reader.format.width * reader.format.height < 10**6:
                assert len(list(reader.frames())) <= 2
        except InputError:
            pass
