"""The memory that a video file may take before its frames are known, and counted in a plan."""

from __future__ import annotations

from dataclasses import dataclass

from scales_cli.errors import MemoryLimitError
from scales_cli.system.files import open_regular
from scales_cli.video.beside import bytes_beside

_MOST_PIXELS = 2**26  # of a frame, whatever the room
_BYTES_OF_PIXEL = 16  # in decoders, before the first frame is there; most take a third of that
_COPIES_BESIDE = 4  # that FFmpeg has of attachments and indexes, more or less
_WAITING = 4  # a fourth of the room is for packets


@dataclass(frozen=True)
class Room:
    """So many `bytes` for the file of that `name`. What does not fit is a `MemoryLimitError`."""

    name: str
    bytes: int = 2**30

    @property
    def most_pixels(self) -> int:
        """Of a frame that is decoded."""
        return min(_MOST_PIXELS, self.bytes // _BYTES_OF_PIXEL)

    def check_file(self) -> None:
        """Looks at what is read as soon as the file is opened. Raises `OSError`, too."""
        with open_regular(self.name) as stream:
            beside = bytes_beside(stream)
        if beside * _COPIES_BESIDE > self.bytes:
            raise MemoryLimitError(
                f"{self.name}: {beside / 2**20:.0f} MiB of attachments and indexes do not fit in memory",
                "raise --max-memory, or leave them out: ffmpeg -i in -map 0:v -map 0:a? -c copy out.mkv",
            )

    def check_frame(self, width: int, height: int) -> None:
        if width * height > self.most_pixels:
            raise MemoryLimitError(
                f"{self.name}: frames of {width} x {height} are more than can be decoded in so much memory",
                "raise --max-memory" if width * height <= _MOST_PIXELS else "make them smaller first",
            )

    def check_waiting(self, count: int) -> None:
        """Of bytes of sound that are met before the frames that they belong to."""
        if count * _WAITING > self.bytes:
            raise MemoryLimitError(
                f"{self.name}: its sound lies too far from its frames to wait for them in memory",
                "raise --max-memory, or mix them first: ffmpeg -i in -c copy out.mkv",
            )
