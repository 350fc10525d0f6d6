"""Video files that are written through PyAV: enlarged frames encoded, all other streams as they were."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scales_cli.errors import OutputError, UsageError
from scales_cli.system.extras import require
from scales_cli.video.container_reader import ContainerReader
from scales_cli.video.encoders import USUAL, Effort, effort_options
from scales_cli.video.frame import EVEN, USUAL_RATE, Frame, Reader, VideoFormat
from scales_cli.video.mastering import mastering_parameters, told_mastering
from scales_cli.video.pixels import Colors, pixel_name

# Encoders by the names of `--codec`, and the quality that they are asked for without `--crf`.
CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9", "ffv1": "ffv1"}
SAME = "same"  # as the input's
_USUAL_CRF = {"h264": 17, "hevc": 19, "av1": 24, "vp9": 24}
_WORST_CRF = {"h264": 51, "hevc": 51}  # of the others 63, which `scales video` takes at most
_X265_DELAY = 2  # frames that x265 waits for before it knows by how much decoding is ahead of showing
_FORMATS = {
    ".mkv": "matroska",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".webm": "webm",
    ".avi": "avi",
}
_WRITTEN_ELSEWHERE = {".mov": ("av1", "vp9")}  # what FFmpeg lists, and then writes into the related .mp4 only
_COUNTED = re.compile(r"(DURATION|BPS|NUMBER_OF_FRAMES|NUMBER_OF_BYTES|_STATISTICS_\w+)(-.*)?", re.IGNORECASE)
_MADE_ANEW = ("alpha_mode", "encoder")  # of the video
_CHROMA_PLACES = {(False, False): 1, (True, True): 2}  # that H.264 and HEVC have to be told: left is what they expect
_MOST_RATE = {"av1": 240}  # frames a second that an encoder is told; times are what they are


def chosen_codec(target: Path, reader: Reader, asked: str | None) -> str:
    """The codec that a file is written with. Raises `UsageError` if it is to be the input's, which is not written."""
    if asked is None:
        if target.suffix.lower() == ".webm":
            return "vp9"
        return "h264" if reader.format.pixels.depth == 8 else "hevc"
    if asked != SAME:
        return asked
    name = reader.stream.codec_context.codec.canonical_name if isinstance(reader, ContainerReader) else "Y4M"
    if name not in CODECS:
        raise UsageError(f"the input's codec ({name}) is not written", f"choose --codec {', '.join(CODECS)}")
    return str(name)


def container_of(target: Path) -> str:
    """FFmpeg's name of a file's container. Raises `OutputError` if its extension is none that is written."""
    try:
        return _FORMATS[target.suffix.lower()]
    except KeyError:
        known = ", ".join([*_FORMATS, ".y4m"])
        raise OutputError(f"{target}: its extension names no video that is written", f"use {known}") from None


class ContainerWriter:
    """Encodes frames of `video` into a container; what the reader's file has beside its video goes along."""

    def __init__(
        self,
        stream: BinaryIO,
        target: Path,
        reader: Reader,
        video: VideoFormat,
        codec: str,
        crf: int | None,
        effort: Effort = USUAL,
    ) -> None:
        require("av", "video", "videos other than Y4M need PyAV")
        import av

        self._reader = reader if isinstance(reader, ContainerReader) else None
        self._notes = reader.notes
        across, down = video.pixels.subsampling or (1, 1)
        self.size = (video.width // across * across, video.height // down * down)
        if self.size != (video.width, video.height):
            self._notes.append("its last row or column was cut off, for chroma covers two")
        self._video = video
        self._name = pixel_name(video.pixels)
        self._output: Any = av.open(stream, "w", format=container_of(target))
        self._written = 0
        self._check_codec(codec, target)
        self._colors = self._reader.colors if self._reader else Colors(2, 2, 2, 2 if video.pixels.full_range else 1)
        self._rate = video.rate or USUAL_RATE
        self._source_time_base: Fraction = self._reader.stream.time_base if self._reader else 1 / self._rate
        # One of .avi lasts as long as a frame: it has a place for each, and ones that are empty between.
        self._time_base = 1 / self._rate if self._output.format.name == "avi" else self._source_time_base
        self._durations: dict[int, int] = {}  # of frames that the encoder holds, by their times
        self._begin: tuple[int, int] | None = None  # when the first packet is shown and decoded
        self._end: int | None = None  # when the last frame ends, if that is known
        self._last: int | None = None  # the time of the last frame
        with writing():
            self._stream = self._video_stream(codec, crf, effort)
            self._copies = self._copied_streams(target)

    def write(self, frame: Frame) -> None:
        with writing():
            self._pass_on()
            self._mux(self._stream.encode(self._encodable(frame)))
            self._written += 1

    def close(self) -> None:
        with writing():
            packets = self._stream.encode(None)
            if self._stream.codec.name == CODECS["hevc"] and self._written <= _X265_DELAY:
                # x265 made their time of decoding of memory that it had not written. So few are in order.
                for packet in packets:
                    packet.dts = packet.pts
            self._mux(packets, is_end=True)
            self._pass_on()
            self._output.close()

    def abandon(self) -> None:
        """Frees what the encoder holds; the file is not completed."""
        self._stream = self._output = None

    def _check_codec(self, codec: str, target: Path) -> None:
        import av

        suffix = target.suffix.lower()
        if codec not in self._output.supported_codecs or codec in _WRITTEN_ELSEWHERE.get(suffix, ()):
            raise UsageError(f"{target.suffix} holds no {codec}", "choose another --codec, or .mkv")
        known = {item.name for item in av.Codec(CODECS[codec], "w").video_formats or ()}
        if self._name not in known:
            raise UsageError(f"{codec} has no pixels as these ({self._name})", "use --codec ffv1")

    def _video_stream(self, codec: str, crf: int | None, effort: Effort) -> Any:
        video, colors = self._video, self._colors
        rate = video.rate and min(video.rate, _MOST_RATE.get(codec, video.rate))
        stream: Any = self._output.add_stream(CODECS[codec], rate=rate, options=self._options(codec, crf, effort))
        context = stream.codec_context
        context.width, context.height = self.size
        context.pix_fmt = self._name
        context.time_base = self._time_base
        if video.aspect is not None:
            context.sample_aspect_ratio = video.aspect
        context.colorspace, context.color_primaries = colors.space, colors.primaries
        context.color_trc, context.color_range = colors.transfer, colors.range
        context.thread_type = "AUTO"
        if effort.threads:
            context.thread_count = effort.threads
        if self._output.format.name == "avi":
            context.max_b_frames = 0  # it notes when frames are decoded, and nothing of when they are shown
        if self._reader:
            stream.metadata.update(_kept_tags(self._reader.stream, _MADE_ANEW))
            stream.disposition = self._reader.stream.disposition
        if video.rotation:
            stream.set_display_rotation(video.rotation)
        return stream

    def _options(self, codec: str, crf: int | None, effort: Effort) -> dict[str, str]:
        options = {}
        if crf is not None and crf > _WORST_CRF.get(codec, crf):
            raise UsageError(f"{codec} has no --crf of {crf}", f"give 0 to {_WORST_CRF[codec]}")
        if codec in _USUAL_CRF:
            options["crf"] = str(_USUAL_CRF[codec] if crf is None else crf)
        elif crf is not None:
            raise UsageError(f"{codec} loses nothing", "leave --crf out")
        if codec == "vp9":
            options |= {"b": "0", "row-mt": "1"}
        mastering = self._reader.mastering if self._reader else {}
        pixels = self._video.pixels
        place = _CHROMA_PLACES.get((pixels.left, pixels.top)) if pixels.subsampling == (2, 2) else None
        efforts, told = effort_options(codec, effort)
        options |= efforts
        if place is not None and codec in ("h264", "hevc"):
            told.append(f"chromaloc={place}")
        if told_mastering(codec):
            told += mastering_parameters(codec, mastering)
        elif mastering:
            self._notes.append("its HDR mastering data was not kept, --codec hevc and av1 do")
        if codec == "h264" and told:
            options["x264-params"] = ":".join(told)
        elif codec == "hevc":
            options["x265-params"] = ":".join(["log-level=none", *told])
        elif codec == "av1":
            os.environ.setdefault("SVT_LOG", "0")  # only so does it print nothing; its errors are raised
            options["svtav1-params"] = ":".join(told)
        return options

    def _copied_streams(self, target: Path) -> dict[int, Any]:
        """The streams of the output by the index of those of the input that they copy."""
        if self._reader is None:
            return {}
        source: Any = self._reader.container
        self._output.metadata.update(source.metadata)
        if chapters := _moved_chapters(source.chapters(), self._reader.shift, self._reader.end):
            self._output.set_chapters(chapters)
        copies = {}
        for stream in source.streams:
            if stream is self._reader.stream:
                continue
            context = stream.codec_context  # None of a codec that is not known
            if (
                stream in self._reader.others
                and context is not None
                and context.codec.canonical_name in self._output.supported_codecs
            ):
                copy: Any = self._output.add_stream_from_template(stream)
            elif stream.type == "attachment" and target.suffix.lower() == ".mkv":
                name = stream.metadata.get("filename", "attachment")
                self._output.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
                continue
            elif stream.type == "data" and chapters:  # which are a stream of their own in .mp4
                continue
            else:
                codec = getattr(context, "name", None)
                kind = f"{stream.type}, {codec}" if codec else stream.type
                is_further = stream.type == "video" and stream not in self._reader.others
                why = "one video is enlarged" if is_further else f"{target.suffix} has no place for it"
                self._notes.append(f"its stream {stream.index} ({kind}) was left out: {why}")
                continue
            copy.metadata.update(_kept_tags(stream))
            copy.disposition = stream.disposition
            copies[stream.index] = copy
        return copies

    def _pass_on(self) -> None:
        """Packets of other streams that have been met since."""
        import av

        while self._reader and self._reader.passed:
            packet = self._reader.passed.popleft()
            copy = self._copies.get(packet.stream.index)
            if copy is None:
                continue
            if (shift := round(self._reader.shift / packet.time_base)) and packet.pts is not None:
                late = max(shift - packet.pts, 0)  # of a subtitle that is on when the part begins
                packet.pts += late - shift
                packet.dts = packet.pts  # which are the same but for video
                packet.duration = max((packet.duration or 0) - late, 0)
            index, kind = packet.stream.index, packet.stream.type
            packet.stream = copy
            try:
                self._output.mux(packet)
            except (av.error.InvalidDataError, av.error.ArgumentError):
                self._note(f"damaged packets of its stream {index} ({kind}) were left out")

    def _mux(self, packets: list[Any], *, is_end: bool = False) -> None:
        """Of the encoders, some do not pass durations on; only the last one's shows, as the video's end."""
        for packet in packets:
            duration = self._durations.pop(packet.pts, packet.duration or 0)
            packet.duration = duration
            if self._begin is None:
                self._begin = (packet.pts, packet.dts)
            if duration:
                ends = packet.pts + duration
                self._end = ends if self._end is None else max(self._end, ends)
        if packets and is_end and self._begin and self._end is not None and self._output.format.name in ("mp4", "mov"):
            # There, the sum of these counts, and the packet that is decoded last need not be shown last.
            shown, decoded = self._begin
            packets[-1].duration = max(packets[-1].duration, self._end - shown - (packets[-1].dts - decoded))
        self._output.mux(packets)

    def _encodable(self, frame: Frame) -> Any:
        import av

        result: Any = av.VideoFrame(*self.size, self._name)
        for plane, samples in zip(result.planes, frame.planes, strict=True):
            line = plane.line_size // samples.dtype.itemsize
            rows, columns = plane.height, plane.width
            np.frombuffer(plane, samples.dtype).reshape(-1, line)[:rows, :columns] = samples[:rows, :columns]
        result.pts = self._time_of(frame)
        result.time_base = self._time_base
        result.colorspace, result.color_range = self._colors.space, self._colors.range
        return result

    def _time_of(self, frame: Frame) -> int | None:
        """When a frame is shown, in units of the output."""
        if frame.pts is None:
            return None
        shift = round(self._reader.shift / self._source_time_base) if self._reader else 0
        time = frame.pts - shift
        if self._time_base != self._source_time_base:
            exact = time * self._source_time_base * self._rate
            time = round(exact) if self._last is None else max(round(exact), self._last + 1)
            self._last = time
            if abs(time - exact) > EVEN:
                self._note(f"the times of its frames were rounded to 1/{float(self._rate):g} s, as .avi has them")
        elif frame.duration:
            self._durations[time] = frame.duration
        return time

    def _note(self, note: str) -> None:
        if note not in self._notes:
            self._notes.append(note)


def _kept_tags(stream: Any, others: tuple[str, ...] = ()) -> dict[str, str]:
    """The texts of a stream without what mkvmerge and FFmpeg counted in it, which may be another part now."""
    return {
        name: text
        for name, text in stream.metadata.items()
        if not _COUNTED.fullmatch(name) and name.lower() not in others
    }


def _moved_chapters(chapters: list[Any], start: Fraction, end: Fraction | None) -> list[Any]:
    """Those of a part of the video, by its own time."""
    moved = []
    for chapter in chapters:
        first, last = (Fraction(chapter[side]) * chapter["time_base"] for side in ("start", "end"))
        first, last = max(first, start), last if end is None else min(last, end)
        if first < last or not (start or end):
            times = {"start": first - start, "end": last - start}
            moved.append(chapter | {side: round(time / chapter["time_base"]) for side, time in times.items()})
    return moved


@contextmanager
def writing() -> Iterator[None]:
    """FFmpeg's errors as `OutputError`."""
    import av

    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError(f"the video cannot be written ({getattr(error, 'strerror', None) or error})") from error
