"""Reading in many threads of somebody else's program: the same pictures, and nothing of the process is changed."""

import io
import locale
import logging
import os
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from scales_cli.errors import InputError
from scales_cli.imaging.files import probe_image, read_frames, read_image

THREADS = 16


def state():
    """What of a process others rely on."""
    mask = os.umask(0o22)
    os.umask(mask)
    return {
        "pillow": (
            Image.MAX_IMAGE_PIXELS,
            Image._decompression_bomb_check,
            Image.WARN_POSSIBLE_FORMATS,
            PngImagePlugin.MAX_TEXT_CHUNK,
            PngImagePlugin.MAX_TEXT_MEMORY,
            ImageFile.LOAD_TRUNCATED_IMAGES,
            ImageFile.MAXBLOCK,
        ),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "logging": (list(logging.getLogger("PIL").handlers), logging.getLogger().level),
        "locale": locale.setlocale(locale.LC_ALL),
        "umask": mask,
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "streams": (sys.stdout, sys.stderr, os.fstat(1), os.fstat(2)),
        "opencv": (cv2.getNumThreads(), cv2.utils.logging.getLogLevel()),
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "numpy": (np.geterr(), np.random.get_state()[1].tolist()),
    }


@pytest.fixture
def files(kinds, saved, photo, rng, png_chunk):
    """Pictures of every kind, also deep, animated, with a profile over 1 MiB, and damaged."""
    files = dict(kinds)
    files["deep.png"] = cv2.imencode(".png", rng.integers(0, 65536, (9, 8, 3), np.uint16))[1].tobytes()
    files["profile.png"] = saved(photo, icc_profile=bytes(2**21))
    files["text.png"] = files["rgba.png"][:33] + png_chunk(b"zTXt", b"a\0\0" + bytes(99)) + files["rgba.png"][33:]
    for name in ("rgb.jpg", "rgba.png", "grey16.tif", "rgb.webp", "rgb.jp2"):
        files[f"cut.{name}"] = files[name][: len(files[name]) // 2]
    frames = [Image.fromarray(photo), Image.fromarray(photo[::-1])]
    for image_format in ("GIF", "WEBP", "PNG"):
        stream = io.BytesIO()
        frames[0].save(stream, image_format, save_all=True, append_images=frames[1:], duration=50)
        files[f"animation.{image_format}"] = stream.getvalue()
    return files


def outcome(name, data):
    """All that reading a file gives."""
    try:
        if name.startswith("animation"):
            return [frame.pixels.tobytes() for frame in read_frames(data)]
        header, picture = probe_image(data), read_image(data)
        return header, picture.pixels.tobytes(), picture.icc_profile, picture.notes
    except InputError as error:
        return error.message


@pytest.mark.filterwarnings("always")
def test_threads_read_what_one_reads_and_change_nothing_of_the_process(files, monkeypatch, saved):
    for name in ("icon.ico", "bitmap.ico", "animation.GIF"):  # whose plugins mind the bound of the process
        del files[name]
    expected = {name: outcome(name, data) for name, data in files.items()}
    assert sum(isinstance(found, str) for found in expected.values()) in range(3, 8)  # of damaged files
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16)  # somebody's own bound
    icon, before = saved(Image.new("RGB", (48, 48))), state()
    seen, done = [], threading.Event()

    def others(index):
        """Uses Pillow and warnings while we read."""
        ended = False
        while not ended:
            ended = done.is_set()  # once more then
            with pytest.raises(Image.DecompressionBombError):
                Image.open(io.BytesIO(icon))
            warnings.warn(f"{index}", UserWarning, stacklevel=1)
            seen.append(index)

    def read(index):
        order = np.random.default_rng(index).permutation(len(names))
        return [names[i] for i in order if outcome(names[i], files[names[i]]) != expected[names[i]]]

    names = list(files)
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(THREADS + 1) as pool:
        warnings.simplefilter("always")
        before["warnings"] = list(warnings.filters), warnings.showwarning
        other = pool.submit(others, 0)
        differing = [name for names in pool.map(read, range(THREADS)) for name in names]
        done.set()
        other.result()
        assert sum(str(warning.message) == "0" for warning in caught) == len(seen) > 0
        assert set(differing) == set()
        assert state() == before
