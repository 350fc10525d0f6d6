"""Small clips, made here, and what becomes of them."""

from fractions import Fraction

import numpy as np
import pytest

from scales_cli.cli.app import main


@pytest.fixture
def enlarge(tmp_path, capfd, monkeypatch):
    """`scales video` in this process, with the tiny model: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capfd.readouterr()
        code = main(["video", *map(str, arguments), "-t", "1"])
        return (code, *capfd.readouterr())

    return run


@pytest.fixture
def decoded():
    """Times and frames of a file's video."""
    av = pytest.importorskip("av")

    def decode(path):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(stream))
            return [frame.pts * frame.time_base for frame in frames], frames

    return decode


@pytest.fixture
def left_over(tmp_path):
    """Names of temporary files."""
    return lambda: [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


@pytest.fixture
def make_clip(tmp_path, rng):
    """Writes a clip of a few moving frames, with sound if that is asked for; gives its path."""
    av = pytest.importorskip("av")

    def make(
        name="clip.mkv",
        *,
        size=(64, 48),
        count=5,
        codec="libx264",
        pixels="yuv420p",
        sound=False,
        times=None,
        options=(),
        **more,
    ):
        path = tmp_path / name
        with av.open(str(path), "w") as output:
            video = output.add_stream(
                codec, rate=25, options={"crf": "10", **dict(options)} if codec.startswith("libx26") else {}
            )
            video.width, video.height, video.pix_fmt = *size, pixels
            context = video.codec_context
            context.time_base = Fraction(1, 1000)
            for field, value in more.items():
                setattr(context, field, value)
            audio = output.add_stream("aac", rate=8000, layout="mono") if sound else None
            y, x = np.mgrid[: size[1], : size[0]]
            for index in range(count):
                picture = np.stack([128 + 90 * np.sin((x + shift + index) / 6 + y / 9) for shift in (0, 5, 9)], axis=2)
                frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24").reformat(format=pixels)
                frame.pts, frame.time_base = (times or range(0, 40 * count, 40))[index], Fraction(1, 1000)
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
            if audio is not None:
                samples = rng.integers(-3000, 3000, (1, 1024), dtype=np.int16)
                for index in range(2):
                    sound_frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                    sound_frame.sample_rate, sound_frame.pts = 8000, 1024 * index
                    output.mux(audio.encode(sound_frame))
                output.mux(audio.encode(None))
        return path

    return make


@pytest.fixture
def copied(tmp_path):
    """Copies the streams of files into one; `change` may alter copies and packets before they are written."""
    av = pytest.importorskip("av")

    def copy(name, *sources, change_stream=lambda stream: None, change_packet=lambda packet: None):
        path = tmp_path / name
        with av.open(str(path), "w") as output:
            opened = [av.open(str(source)) for source in sources]
            copies = [[output.add_stream_from_template(stream) for stream in one.streams] for one in opened]
            for stream in (stream for streams in copies for stream in streams):
                change_stream(stream)
            for one, streams in zip(opened, copies, strict=True):
                with one:
                    for packet in one.demux():
                        if packet.size:
                            packet.stream = streams[packet.stream.index]
                            change_packet(packet)
                            output.mux(packet)
        return path

    return copy
