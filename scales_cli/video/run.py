"""One video from reading to writing: decoding, enlarging and encoding overlap, and few frames are alive at a time."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from scales_cli.errors import InputError, OutputError, UsageError
from scales_cli.imaging.files import naming
from scales_cli.pipeline.destination import destination
from scales_cli.pipeline.memory import check_need, default_limit, free_bytes
from scales_cli.pipeline.sizing import Sizing
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.system.ahead import Ahead
from scales_cli.system.files import open_regular
from scales_cli.video.encoders import USUAL, Effort, most_effort
from scales_cli.video.enlarger import FrameEnlarger
from scales_cli.video.frame import Frame, Reader, VideoFormat, Writer
from scales_cli.video.room import Room
from scales_cli.video.y4m import MAGIC, Y4MReader, Y4MWriter

STREAM = "-"
_WITHOUT_ROTATION = (".y4m", ".avi")
_AHEAD = 3  # frames that wait for the next stage
_CODERS = 24 * 2**20  # of decoders and encoders

Watch = Callable[[int], object]  # is told the number of frames that are done


@dataclass(frozen=True)
class VideoOptions:
    """How a video is written, and which part of it.

    `codec` is one of `scales_cli.video.container_writer.CODECS`, None for the usual one; `crf` its quality. `start`
    and `end` are in seconds. `keep_partial` completes the file with the frames that there are, if it ends early.
    """

    codec: str | None = None
    crf: int | None = None
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    keep_partial: bool = False

    @classmethod
    def of(
        cls, codec: str | None, crf: int | None, start: str | None, end: str | None, *, keep_partial: bool = False
    ) -> Self:
        """By options as in `scales video`, with times as 1:30. Raises `UsageError`."""
        begin = _seconds(start or "0")
        until = None if end is None else _seconds(end)
        if until is not None and until <= begin:
            raise UsageError("--end is not after --start", "give a later --end")
        return cls(codec, crf, begin, until, keep_partial)


@dataclass(frozen=True)
class VideoDone:
    """What was written; `output` is `-` for standard output."""

    input: str
    output: str
    width: int
    height: int
    frames: int
    seconds: float
    scale: float
    model: str
    notes: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        return self.model

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"seconds": round(self.seconds, 3)}


def enlarge_video(
    name: str,
    target: Path | None,
    upscalers: Mapping[int, Upscaler],
    sizing: Sizing,
    options: VideoOptions,
    *,
    overwrite: bool = False,
    strength: float | None = None,
    max_pixels: int,
    max_memory: int | None = None,
    watch: Callable[[int | None], Watch] = lambda count: lambda done: None,
    kept: Callable[[int], object] = lambda count: None,
) -> VideoDone:
    """Enlarges one video, from standard input if `name` is `-`, to standard output if there is no target.

    `watch` is told how many frames there are, if that is known, and gives what is to be told of each; `kept` is told
    how many were kept before an error or interrupt is raised.
    """
    started = time.perf_counter()
    count, ended = 0, None
    room = Room(name, free_bytes(default_limit() if max_memory is None else max_memory))
    with naming("standard input" if name == STREAM else name):
        with ExitStack() as stack:
            reader = stack.enter_context(open_reader(name, options.start, options.end, room))
            video = _shown(reader, target)
            size = _result(video, sizing, max_pixels)
            if size != (asked := _asked(video, sizing)):
                reader.notes.append(
                    f"it is {size[0]} x {size[1]} pixels, not {asked[0]} x {asked[1]}: chroma covers several"
                )
            upscaler = upscalers[sizing.network_scale(*video.turned((video.width, video.height)))]
            enlarger = FrameEnlarger(upscaler, video, size, strength=strength)
            codec = _codec(target, reader, options)
            effort = _check_memory(name, enlarger, video, size, codec, max_memory)
            if effort.lookahead is not None:
                reader.notes.append(f"the encoder looks only {effort.lookahead} frames ahead, which fit in memory")
            done = watch(reader.count)
            writer = stack.enter_context(_open_writer(target, reader, size, codec, options.crf, overwrite, effort))

            def write(frame: Frame) -> None:
                nonlocal count
                writer.write(frame)
                count += 1

            try:
                with closing(_stages(reader, enlarger, write, waits=target is not None)) as written:
                    for _ in written:
                        done(count)
            except BaseException as error:
                if not (options.keep_partial and count) or isinstance(error, OutputError):
                    raise
                ended = error
            if not count:
                raise InputError("it holds no frame")
            writer.close()
        if ended is not None:
            kept(count)
            raise ended
    factor = size[0] / video.width
    return VideoDone(
        input=name,
        output=STREAM if target is None else os.fspath(target),
        width=writer.size[0],
        height=writer.size[1],
        frames=count,
        seconds=time.perf_counter() - started,
        scale=int(factor) if factor.is_integer() else round(factor, 4),
        model=upscaler.name,
        notes=tuple(reader.notes),
    )


def _stages(reader: Reader, enlarger: FrameEnlarger, write: Callable[[Frame], None], *, waits: bool) -> Generator[None]:
    """Yields after each frame that is written. Each stage is a thread of its own.

    If it `waits`, an interrupt meets no frame that is half written; a pipe might not let it go on for ever.
    """
    closed = threading.Event()
    with (
        Ahead(reader.frames(), _AHEAD, closed) as decoded,
        Ahead(enlarger.enlarge_all(decoded), _AHEAD, closed) as enlarged,
    ):
        if waits:
            with Ahead(map(write, enlarged), _AHEAD, closed, leave_seconds=None) as written:
                yield from written
        else:
            yield from map(write, enlarged)


def _seconds(text: str) -> Fraction:
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return seconds


@contextmanager
def open_reader(
    name: str, start: Fraction = Fraction(0), end: Fraction | None = None, room: Room | None = None
) -> Iterator[Reader]:
    """By what a file begins with; standard input is Y4M. `room` is for what is not in a plan."""
    whole = start == 0 and end is None
    if name == STREAM:
        if not whole:
            raise UsageError("--start and --end are for files", "let the program that writes the stream cut it")
        if sys.stdin is None:
            raise InputError("it is closed", "pipe a Y4M stream into it")
        # A file object of its own: the interpreter could not close standard input's while a thread waits for it.
        yield Y4MReader(open(sys.stdin.fileno(), "rb", closefd=False))  # noqa: SIM115
        return
    try:
        stream = open_regular(name)
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror}") from error
    with stream:
        if stream.peek(len(MAGIC))[: len(MAGIC)] == MAGIC:
            if not whole:
                raise UsageError("--start and --end are not for Y4M", "cut it with ffmpeg -ss ... -to ...")
            yield Y4MReader(stream)
            return
    from scales_cli.video.container_reader import open_container

    with open_container(name, start, end, room=room or Room(name)) as reader:
        yield reader


@contextmanager
def _open_writer(
    target: Path | None,
    reader: Reader,
    size: tuple[int, int],
    codec: str | None,
    crf: int | None,
    overwrite: bool,
    effort: Effort,
) -> Iterator[Writer]:
    video = dataclasses.replace(reader.format, width=size[0], height=size[1])
    if codec is None:
        reader.leave_others()
    if target is None:
        if sys.stdout is None:
            raise OutputError("standard output is closed", "give a file to -o")
        yield Y4MWriter(sys.stdout.buffer, video)
        return
    if codec is None:
        with destination(target, overwrite=overwrite) as stream:
            yield Y4MWriter(stream, video)
        return
    from scales_cli.video.container_writer import ContainerWriter

    with destination(target, overwrite=overwrite) as stream:
        writer = ContainerWriter(stream, target, reader, video, codec, crf, effort)
        try:
            yield writer
        finally:
            writer.abandon()


def _shown(reader: Reader, target: Path | None) -> VideoFormat:
    """The input's format, but for a rotation that the output has no place for."""
    suffix = ".y4m" if target is None else target.suffix.lower()
    if not reader.format.rotation or suffix not in _WITHOUT_ROTATION:
        return reader.format
    place = "Y4M" if suffix == ".y4m" else suffix
    reader.notes.append(f"its rotation by {reader.format.rotation} degrees was not kept: {place} has no place for it")
    return dataclasses.replace(reader.format, rotation=0)


def _asked(video: VideoFormat, sizing: Sizing) -> tuple[int, int]:
    """The size that is asked for; bounds are those of the video as it is shown."""
    return video.turned(sizing.result(*video.turned((video.width, video.height))))


def _result(video: VideoFormat, sizing: Sizing, max_pixels: int) -> tuple[int, int]:
    """The size of the result: where samples share their chroma, a whole number of these."""
    width, height = _asked(video, sizing)
    across, down = video.pixels.subsampling or (1, 1)
    if (video.width % across, video.height % down) == (0, 0):
        width, height = max(width // across, 1) * across, max(height // down, 1) * down
    if width * height > max_pixels:
        raise InputError(
            f"frames of {width} x {height} pixels are more than the {max_pixels} allowed", "raise --max-pixels"
        )
    return width, height


def _codec(target: Path | None, reader: Reader, options: VideoOptions) -> str | None:
    """That of a file; None is raw."""
    if target is None or target.suffix.lower() == ".y4m":
        if (options.codec, options.crf) != (None, None):
            raise UsageError("--codec and --crf are not for Y4M, which is raw", "choose .mkv, say, for -o")
        return None
    from scales_cli.video.container_writer import chosen_codec

    return chosen_codec(target, reader, options.codec)


def _check_memory(
    name: str, enlarger: FrameEnlarger, video: VideoFormat, size: tuple[int, int], codec: str | None, limit: int | None
) -> Effort:
    """What the encoder may do within the memory that is left to it. Raises `MemoryLimitError` if that is too little."""
    limit = default_limit() if limit is None else limit
    pixels, free = video.pixels, free_bytes(limit)
    made = pixels.frame_bytes(*size)
    need = _CODERS + (_AHEAD + 2) * (pixels.frame_bytes(video.width, video.height) + made) + enlarger.working_bytes()
    effort, encoding = (USUAL, 0) if codec is None else most_effort(codec, pixels, size, free - need)
    check_need(
        need + encoding,
        free,
        limit,
        f"{name}: frames of {video.width} x {video.height}",
        f"{size[0]} x {size[1]}",
    )
    return effort
