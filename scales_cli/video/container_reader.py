"""Video files that are read through PyAV: their frames, and the packets of all other streams."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

from scales_cli.errors import InputError, ScalesError, UsageError
from scales_cli.system.extras import require
from scales_cli.video.frame import EVEN, USUAL_RATE, Frame, PixelFormat, Plane, VideoFormat, interlaced
from scales_cli.video.mastering import LIGHT, SCREEN
from scales_cli.video.pixels import TRANSPARENCY_LEFT_OUT, Reading, is_transparent_beside
from scales_cli.video.room import Room

# What is opened, by demuxers that read one file: playlists would name others.
_READ = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,mpegts,mpeg,flv,ogg,asf,gif,ivf,h264,hevc,obu,mpegvideo,m4v,nut,mxf"
_PROBED_BYTES, _PROBED_SECONDS = 16 * 2**20, 10  # looked at to find the streams
_MOST_STREAMS = 128
_SILENCE = -8  # FFmpeg's level of logging that prints nothing
_GUESSED_TIMES = 0x1  # FFmpeg's flag for times that it makes up, which PyAV sets: wrong ones where frames are reordered
_BROADCAST = ("mpegts", "mpeg")  # whose times go on from what was sent before
_KNOWS_ITS_END = ("matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi")
_RUN_UP_SECONDS = 12  # to a frame that needs no other, where no index tells of one
# So much of a length may be missing, or a frame, but no more than that: it may be rounding, or a sound's silence.
_MISSING_SHARE, _MISSING_SECONDS = Fraction(1, 20), Fraction(1, 2)
_FIELD_ORDERS = range(2, 6)  # FFmpeg's, of half frames
_TELL_OF_FRAMES = ("h264", "hevc", "mpeg2video")  # whether each is interlaced: their headers say that some may be
_LEAST_STEP = Fraction(1, 1000)  # between two frames, in seconds: what is coarser, .mkv cannot tell apart
_MOST_SECONDS_BACK = Fraction(1, 2)  # of a time that is out of order; more is another film that was appended
_INTERLEAVED_SECONDS = 2  # by which packets of different streams may be apart in a file


@contextmanager
def open_container(
    name: str, start: Fraction = Fraction(0), end: Fraction | None = None, *, room: Room
) -> Iterator[ContainerReader]:
    """A reader of a video file. Raises `InputError` if it is none, or holds no video that can be enlarged."""
    require("av", "video", "videos other than Y4M need PyAV")
    import av
    import av.logging

    # PyAV's own logging waits for the interpreter from the threads of decoders, whose end the interpreter waits for.
    av.logging.restore_default_callback()
    av.logging.set_libav_level(_SILENCE)
    options = {
        "format_whitelist": _READ,
        "protocol_whitelist": "file",
        "probesize": str(_PROBED_BYTES),
        "analyzeduration": str(_PROBED_SECONDS * 10**6),
        "max_streams": str(_MOST_STREAMS),
    }
    try:
        room.check_file()
        container = av.open(
            f"file:{name}",
            options={"max_pixels": str(room.most_pixels)},
            container_options=options,
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"it is no video that can be read ({_reason(error)})") from error
    with container:
        container.flags &= ~_GUESSED_TIMES
        yield ContainerReader(container, start, end, room)


class ContainerReader:
    """The first video stream of a file; packets of its other streams, which are met on the way, wait in `passed`."""

    def __init__(self, container: Any, start: Fraction, end: Fraction | None, room: Room) -> None:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            raise InputError("it holds no video")
        self.container, self.stream = container, streams[0]
        if self.stream.codec_context is None:
            raise InputError("its video is of a codec that is not known")
        self._origin = Fraction(container.start_time or 0, 10**6)  # of .ts, that of the broadcast
        self.start = start + self._origin if start else start
        counts_on = container.format.name in _BROADCAST
        self.shift = self.start or (self._origin if counts_on else Fraction(0))  # by which its times are too late
        self.end = None if end is None else end + self._origin
        self.others = [stream for stream in container.streams if stream is not self.stream and _is_copied(stream)]
        self.passed: deque[Any] = deque()  # packets of the others, in their order
        self.notes: list[str] = []
        context = self.stream.codec_context
        tells = context.codec.canonical_name in _TELL_OF_FRAMES
        if not tells and getattr(context, "field_order", 0) in _FIELD_ORDERS:
            raise interlaced("its header says so")
        room.check_frame(context.width, context.height)
        context.options = {"max_pixels": str(room.most_pixels)}
        self._room, self._waiting = room, 0  # bytes of `passed`
        self._keeps_times = True
        self._last: int | None = None  # the time of the last frame
        self._lasts = 0  # how long it is shown, if that is told
        self._step: int | None = None  # and since the one before
        self._frames = self._decoded()
        self._first = next(self._frames, None)
        if self._first is None:
            raise self._no_frame()
        rotation, is_mirrored = _turn(self._first)
        if is_mirrored:
            self._note("it is shown mirrored, which was not kept")
        self.mastering = {
            data.type.name: bytes(data) for data in self._first.side_data if data.type.name in (SCREEN, LIGHT)
        }
        if is_transparent_beside(self.stream):
            self._note(TRANSPARENCY_LEFT_OUT)
        self._reading, self._kind = Reading.of(self._first), self._first.format.name
        for note in self._reading.notes:
            self._note(note)
        self.colors, pixels = self._reading.colors, self._reading.pixels(context.codec.canonical_name)
        rate = self.stream.average_rate or self.stream.base_rate
        aspect = self.stream.sample_aspect_ratio or None
        self.format = VideoFormat(self._first.width, self._first.height, pixels, rate, aspect, rotation)

    @property
    def count(self) -> int | None:
        if self.start or self.end is not None:
            return None
        if self.stream.frames:
            return int(self.stream.frames)
        duration, rate = self.container.duration, self.format.rate
        return round(duration / 10**6 * rate) if duration and rate else None

    def leave_others(self) -> None:
        self.passed, self._keeps_times = deque(maxlen=0), False
        if self.others:
            kinds = ", ".join(sorted({stream.type for stream in self.others}))
            self._note(f"its other streams ({kinds}) were left out: Y4M has no place for them")

    def frames(self) -> Iterator[Frame]:
        first, self._first = self._first, None
        if first is not None:
            yield self._planes(first)
            del first
        for frame in self._frames:
            yield self._planes(frame)

    def _decoded(self) -> Iterator[Any]:
        """Frames in their order; the packets of other streams that lie between go to `passed`."""
        import av

        self.stream.thread_type = "AUTO"
        decoded: dict[int, Fraction] = {}  # when the packets before were, by their streams
        begun, ended = Fraction(0), Fraction(0)  # of the sound, and of it and the picture: subtitles may be on for long
        if self.start:
            sought = self.start
            if self.container.format.name not in _KNOWS_ITS_END:
                sought -= _RUN_UP_SECONDS
            self.container.seek(int(sought * 10**6), backward=True)
        try:
            for packet in self.container.demux([self.stream, *self.others]):
                time = _time(packet)
                if time is not None and self._is_film(packet.stream):
                    if packet.stream is not self.stream:
                        begun = min(begun, time)  # before 0 lies what decoders leave out, which .mkv counts
                    ended = max(ended, time + (packet.duration or 0) * packet.time_base)
                    if packet.dts is not None:
                        moment, index = packet.dts * packet.time_base, packet.stream.index
                        if moment < decoded.get(index, moment) - _MOST_SECONDS_BACK:
                            yield from self._within(self.stream.decode(None))
                            raise _jump(decoded[index], moment)
                        decoded[index] = moment
                if self.end is not None and time is not None and time > self.end + _INTERLEAVED_SECONDS:
                    yield from self._within(self.stream.decode(None))  # what the decoder holds back
                    return
                if packet.stream is self.stream:
                    yield from self._within(packet.decode())
                elif packet.size and (self._is_within(time) or self._begins_within(packet)):  # or it ends a stream
                    self._wait(packet)
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError(f"it cannot be decoded further ({_reason(error)})", _RECODE) from error
        self._check_end(ended - begun)

    def _within(self, frames: Iterable[Any]) -> Iterator[Any]:
        timed = map(self._timed, frames)
        return (frame for frame in timed if self._is_within(frame.pts * self.stream.time_base))

    def _no_frame(self) -> ScalesError:
        """What is wrong where no frame is given."""
        ended = self._origin + Fraction(self.container.duration or 0, 10**6)
        if self._last is not None:
            ended = max(ended, (self._last + self._lasts) * self.stream.time_base)
        if self.start and self.start >= ended:
            start, ended = float(self.start - self._origin), ended - self._origin
            return UsageError(f"--start {start:g} is after the end ({float(ended):.1f} s)", "give an earlier --start")
        if self._last is None:
            return InputError("it holds no frame that can be decoded")
        return UsageError("no frame begins between --start and --end", "give an earlier --start or a later --end")

    def _is_film(self, stream: Any) -> bool:
        return stream is self.stream or stream.type == "audio"

    def _check_end(self, ended: Fraction) -> None:
        """Raises `InputError` if a film is over long before the time in its file's header: its end was cut off."""
        seen = {stream.index for stream in (self.stream, *self.others)}
        lasting = {stream.index for stream in self.container.streams if stream.type in ("video", "audio")}
        if self.container.format.name not in _KNOWS_ITS_END or lasting - seen:
            return
        stated = self._stated_end()
        # A frame is as long as the last that is known, or by a rate; of these .avi may state that of its clock.
        step, rates = (self._step or 0) * self.stream.time_base, (self._rate, self.stream.base_rate or self._rate)
        if ended < stated - min(max(stated * _MISSING_SHARE, step, 1 / min(rates)), _MISSING_SECONDS):
            raise InputError(
                f"it ends after {float(ended):.1f} of {float(stated):.1f} seconds",
                "get a whole copy, or add --keep-partial",
            )

    def _stated_end(self) -> Fraction:
        """When the picture and the sound are over by the file's header, which may count subtitles in its length."""
        if self.container.format.name == "avi":  # of which FFmpeg gives the length of what there is
            return Fraction(self.stream.frames / self._rate)
        length = Fraction(self.container.duration or 0, 10**6)
        # Of a codec that is not known, nothing tells how long the last packet lasts.
        film = [stream for stream in self.container.streams if self._is_film(stream) and stream.codec_context]
        if self.container.format.name.startswith("matroska"):
            return max(min(_tagged_length(stream) or length, length) for stream in film)
        if any(stream.duration is None for stream in film):
            return length
        return Fraction(max(((stream.start_time or 0) + stream.duration) * stream.time_base for stream in film))

    @property
    def _rate(self) -> Fraction:
        return Fraction(self.stream.average_rate or self.stream.base_rate or USUAL_RATE)

    def _wait(self, packet: Any) -> None:
        self._waiting = packet.size + (self._waiting if self.passed else 0)
        self._room.check_waiting(self._waiting)
        self.passed.append(packet)

    def _timed(self, frame: Any) -> Any:
        """The frame with the time that it is shown at, later than that of the one before.

        Where its container does not say so, as .avi, it is that of its decoding; where there is none, as in a bare
        stream, or no new one, as of the last frames, it is as much later as that one was, or by the rate.
        """
        last, tick = self._last, self.stream.time_base
        time, decoded = frame.pts, frame.dts
        if time is None and decoded is not None and (last is None or decoded > last):
            time = decoded
        if time is None:
            time = 0 if last is None else last + (self._step or max(round(1 / self._rate / tick), 1))
        if last is not None and time <= last:
            if (last - time) * tick > _MOST_SECONDS_BACK:
                raise _jump(last * tick, time * tick)
            time = last + math.ceil(_LEAST_STEP / tick)
        self._step = None if last is None else time - last
        self._last, self._lasts = time, frame.duration or 0
        frame.pts = time
        if not self._keeps_times and self._step and abs(self._step * tick * self._rate - 1) > EVEN:
            self._note("its frames are not shown equally long, which was not kept: Y4M has no place for times")
        return frame

    def _is_within(self, time: Fraction | None) -> bool:
        if time is None:
            return True
        return (not self.start or self.start <= time) and (self.end is None or time < self.end)

    def _begins_within(self, packet: Any) -> bool:
        """Whether a subtitle is on when the part begins."""
        time = _time(packet)
        if packet.stream.type != "subtitle" or time is None:
            return False
        return bool(time < self.start < time + (packet.duration or 0) * packet.time_base)

    def _planes(self, frame: Any) -> Frame:
        video = self.format
        if frame.interlaced_frame:
            raise interlaced("its frames say so")
        if (frame.width, frame.height) != (video.width, video.height):
            raise InputError(
                f"its frames change from {video.width} x {video.height} to {frame.width} x {frame.height}", _RECODE
            )
        reading = self._reading if frame.format.name == self._kind else Reading.of(frame)
        if reading.name != self._reading.name or reading.is_rgb != self._reading.is_rgb:
            raise InputError(f"its pixels change from {self._kind} to {frame.format.name}", _RECODE)
        if frame.is_corrupt:
            self._note("damaged frames were enlarged as they were decoded")
        frame = self._reading.read(frame)
        shapes = video.pixels.shapes(video.width, video.height)
        planes = tuple(_samples(frame.planes[index], shape, video.pixels) for index, shape in enumerate(shapes))
        duration = frame.duration or None
        if duration and self.end is not None:
            duration = min(duration, math.ceil(self.end / self.stream.time_base) - frame.pts)
        return Frame(planes, frame.pts, duration)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


_RECODE = "convert it first: ffmpeg -i in -c:v ffv1 -c:a copy out.mkv"


def _jump(before: Fraction, after: Fraction) -> InputError:
    return InputError(
        f"its times go back from {float(before):.1f} to {float(after):.1f} seconds, as of files that were joined",
        "give the files one by one, or make new times first: ffmpeg -i in -c copy out.mkv",
    )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _turn(frame: Any) -> tuple[int, bool]:
    """By how many degrees a frame is turned, counterclockwise, when it is shown, and whether it is mirrored, too."""
    matrix = next((bytes(data) for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), b"")
    if len(matrix) != 9 * 4:
        return frame.rotation, False
    across, skewed, other, down = (np.frombuffer(matrix, np.int32)[index] / 2**16 for index in (0, 1, 3, 4))
    if across * down - skewed * other >= 0:
        return frame.rotation, False
    # It was mirrored along its width or its height, and turned then: the less of the two.
    angles = (math.atan2(-skewed, -across), math.atan2(skewed, across))
    return min((round(math.degrees(angle)) for angle in angles), key=abs), True


def _time(item: Any) -> Fraction | None:
    """When a frame or packet is shown, in seconds; if nothing tells, as in .avi, when it is decoded."""
    time = item.dts if item.pts is None else item.pts
    return None if time is None or item.time_base is None else time * item.time_base


def _tagged_length(stream: Any) -> Fraction | None:
    """That of a stream of Matroska, if whoever wrote the file noted it; mkvmerge may add the language to the name."""
    tags = (text for name, text in stream.metadata.items() if name.partition("-")[0] == "DURATION")
    match = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)", next(tags, ""))
    return None if match is None else 3600 * int(match[1]) + 60 * int(match[2]) + Fraction(match[3])


def _is_cover(stream: Any) -> bool:
    """Whether a video stream is a picture beside the sound."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _is_copied(stream: Any) -> bool:
    return stream.type in ("audio", "subtitle") or (stream.type == "video" and _is_cover(stream))


def _samples(plane: Any, shape: tuple[int, int], pixels: PixelFormat) -> Plane:
    """A copy of a plane's samples without the ends of its lines."""
    rows, columns = shape
    line = plane.line_size // pixels.dtype.itemsize
    samples = np.frombuffer(plane, pixels.dtype, count=rows * line).reshape(rows, line)
    return samples[:, :columns].copy()
