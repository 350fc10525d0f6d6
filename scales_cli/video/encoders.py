"""The memory that encoders take, and how they take less.

They hold frames of the output to look ahead, tens of them, which may be more than all else. What they take was measured
as private memory, on up to 90 moving and noisy frames of 320 x 180 to 1280 x 720: a constant, and so many times the
bytes of a frame with its margins. On more than two cores it was measured for the smaller frames only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from scales_cli.video.frame import PixelFormat

_MOST_THREADS = 128
# Levels of parallelism of SVT-AV1, by the cores that they are for, and what a level takes, in that of the first.
_LEVELS = (1, 2, 5, 11, 23)
_LEVEL_WEIGHTS = (0, 1, 2, 5, 9, 16, 25)


@dataclass(frozen=True)
class Effort:
    """How many frames an encoder looks ahead, and on how many threads it works; None is as it does by itself.

    Threads of SVT-AV1 are its levels of parallelism.
    """

    lookahead: int | None = None
    threads: int | None = None


USUAL = Effort()


@dataclass(frozen=True)
class _Appetite:
    """What an encoder takes: MiB, whatever the size, and frames; of either, what each thread takes beside.

    Frames have a `margin` of pixels on each side. Looking ahead by a frame takes `ahead` of them; without a word an
    encoder does so for `usual` frames.
    """

    constant: float
    frames: float
    thread_constant: float = 0.0
    thread_frames: float = 0.0
    ahead: float = 0.0
    usual: int = 0
    least: int = 0
    margin: int = 0

    def bytes(self, frame_bytes: int, lookahead: int, threads: int) -> int:
        frames = self.frames + self.thread_frames * threads + self.ahead * lookahead
        return round((self.constant + self.thread_constant * threads) * 2**20 + frames * frame_bytes)


_APPETITES = {
    "h264": _Appetite(10, 25, 0, 8, 2.85, usual=40),
    "hevc": _Appetite(1.4, 48, 6.3, 2, 2.65, usual=20, least=5, margin=96),  # B-frames want four
    "av1": _Appetite(35, 77, 0, 40, 3.1, usual=33),
    "vp9": _Appetite(-5, 33, 4, 0, 1.02, usual=25, margin=160),
    "ffv1": _Appetite(1, 33),
}
_LARGE_AV1 = 1_750_000  # pixels, from which on SVT-AV1 hardly looks ahead


def most_effort(
    codec: str, pixels: PixelFormat, size: tuple[int, int], room: int, cores: int | None = None
) -> tuple[Effort, int]:
    """The most effort that takes no more than `room` bytes, else the least; and the bytes that it takes.

    Threads are given up before half of the frames that are looked ahead: fewer of these make larger files.
    """
    appetite = _APPETITES[codec]
    if codec == "av1" and size[0] * size[1] >= _LARGE_AV1:
        appetite = replace(appetite, usual=0)
    frame_bytes = pixels.frame_bytes(*(side + 2 * appetite.margin for side in size))
    usual = threads = _usual_threads(codec, cores or _cores())

    def needed(lookahead: int, threads: int) -> int:
        return appetite.bytes(frame_bytes, lookahead, _weight(codec, threads))

    while threads > 1 and needed((appetite.usual + appetite.least) // 2, threads) > room:
        threads //= 2
    lookahead = appetite.usual
    while lookahead > appetite.least and needed(lookahead, threads) > room:
        lookahead -= 1
    effort = Effort(lookahead if lookahead < appetite.usual else None, threads if threads < usual else None)
    return effort, needed(lookahead, threads)


def effort_options(codec: str, effort: Effort) -> tuple[dict[str, str], list[str]]:
    """An encoder's options, and those among its own parameters, for an effort; threads are FFmpeg's but for these."""
    lookahead, threads = effort.lookahead, effort.threads
    if codec in ("h264", "vp9"):
        name = {"h264": "rc-lookahead", "vp9": "lag-in-frames"}[codec]
        return {} if lookahead is None else {name: str(lookahead)}, []
    names = {"hevc": ("rc-lookahead", "pools"), "av1": ("lookahead", "lp")}.get(codec, ())
    values = zip(names, (lookahead, threads), strict=False)
    return {}, [f"{name}={value}" for name, value in values if value is not None]


def _cores() -> int:
    """Those that encoders see, which do not look at quotas."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _usual_threads(codec: str, cores: int) -> int:
    if codec == "av1":
        return 1 + sum(cores > most for most in _LEVELS)
    return min({"h264": cores * 3 // 2, "vp9": min(cores, 16)}.get(codec, cores), _MOST_THREADS) or 1


def _weight(codec: str, threads: int) -> int:
    return _LEVEL_WEIGHTS[threads] if codec == "av1" else threads
