"""What is read of a video before its frames are known has bounds, too."""

import io
import subprocess
import sys

import numpy as np
import pytest

av = pytest.importorskip("av")

from scales_cli.errors import MemoryLimitError  # noqa: E402
from scales_cli.video.beside import bytes_beside  # noqa: E402
from scales_cli.video.room import Room  # noqa: E402
from scales_cli.video.run import open_reader  # noqa: E402

SEGMENT, CLUSTER, VOID = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\xec"
ATTACHMENTS, FILE, DATA = b"\x19\x41\xa4\x69", b"\x61\xa7", b"\x46\x5c"


def element(kind, *parts, size=None):
    """Of EBML; with a `size`, all but the last bytes of it."""
    data = b"".join(parts)
    return kind + (2**56 + (len(data) if size is None else size)).to_bytes(8, "big") + data


def attachment(size):
    name, mime, uid = element(b"\x46\x6e", b"a.ttf"), element(b"\x46\x60", b"font/ttf"), element(b"\x46\xae", b"\1")
    file = [name, mime, uid, element(DATA, size=size)]
    whole = sum(map(len, file)) + size
    return element(ATTACHMENTS, element(FILE, *file, size=whole), size=len(element(FILE, size=0)) + whole)


def attach(path, size):
    """Puts an attachment of zeros before the pictures of a Matroska file, whose length is unknown from then on."""
    data = path.read_bytes()
    start = data.index(SEGMENT)
    content = start + 4 + 9 - data[start + 4].bit_length()
    pictures = data.index(CLUSTER)
    with path.open("wb") as file:
        file.write(data[:start] + SEGMENT + b"\x01" + b"\xff" * 7 + data[content:pictures] + attachment(size))
        file.seek(size, io.SEEK_CUR)
        file.write(data[pictures:])


def read(path, room):
    with open_reader(str(path), room=Room(str(path), room)) as reader:
        return sum(1 for _ in reader.frames())


def test_attachments_count(make_clip):
    path = make_clip("clip.mkv", count=2)
    attach(path, 3 * 2**20)
    assert read(path, 2**24) == 2
    with pytest.raises(MemoryLimitError, match=r"clip\.mkv: 3 MiB of attachments and indexes do not fit"):
        read(path, 2**23)


def test_frames_count_before_they_are_decoded(make_clip):
    path = make_clip(size=(320, 240), count=2)
    assert read(path, 320 * 240 * 16) == 2
    with pytest.raises(MemoryLimitError, match="frames of 320 x 240 are more than can be decoded"):
        read(path, 320 * 240 * 16 - 1)


def test_sound_that_waits_for_its_frames_counts(tmp_path):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as output:
        video, sound = output.add_stream("ffv1", rate=10), output.add_stream("pcm_s16le", rate=48000, layout="mono")
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for _ in range(10):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), "s16", "mono")
            samples.sample_rate = 48_000
            for packet in sound.encode(samples):
                output.mux_one(packet)
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        for packet in [*video.encode(frame), *video.encode(None)]:
            output.mux_one(packet)
    assert read(path, 2**22) == 1
    with pytest.raises(MemoryLimitError, match="its sound lies too far from its frames"):
        read(path, 2**21)


def test_bytes_beside_pictures(make_clip):
    assert 500 < bytes_beside(io.BytesIO(make_clip("clip.mp4").read_bytes())) < 5000
    assert 100 < bytes_beside(io.BytesIO(make_clip("clip.mkv").read_bytes())) < 5000
    assert bytes_beside(io.BytesIO(b"")) == 0


@pytest.mark.parametrize("within", [CLUSTER, VOID])
def test_bytes_that_are_pointed_at_count(within):
    """Wherever they are, which may be in pictures."""
    hidden = element(ATTACHMENTS, bytes(1000))
    where = element(b"\x53\xac", (100).to_bytes(2, "big"))
    head = element(b"\x11\x4d\x9b\x74", element(b"\x4d\xbb", element(b"\x53\xab", ATTACHMENTS), where))
    body = head + element(within, bytes(100 - len(head) - len(element(within))), hidden)
    assert body.index(ATTACHMENTS, len(head)) == 100
    found = bytes_beside(io.BytesIO(element(b"\x1a\x45\xdf\xa3", b"") + element(SEGMENT, body)))
    assert found >= 1000


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4"])
def test_bytes_beside_what_is_damaged(make_clip, rng, name):
    data = make_clip(name, count=2).read_bytes()
    for _ in range(200):
        changed = bytearray(data)
        for _ in range(5):
            changed[rng.integers(min(len(data), 500))] = rng.integers(256)
        assert 0 <= bytes_beside(io.BytesIO(changed)) <= 70 * len(data)


@pytest.mark.slow
def test_memory_of_attachments(make_clip, tmp_path):
    path = make_clip("clip.mkv", count=2)
    attach(path, 2**27)
    script = """if True:
        import re, sys
        from pathlib import Path
        from scales_cli.cli.app import main
        code = main(["video", sys.argv[1], "-o", "out.mkv", "-s", "2", "-m", "tiny", "--max-memory", "300M"])
        print(code, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)"""
    run = subprocess.run([sys.executable, "-c", script, path], cwd=tmp_path, capture_output=True, text=True, check=True)
    code, peak = map(int, run.stdout.split())
    assert (code, peak <= 300) == (6, True), run.stderr
