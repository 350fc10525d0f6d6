"""Frames of video, enlarged without decoding and encoding: luma by a network, and color.

Each run takes further frames, of which nothing is as it was in the one before, if nothing else is said.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from scales_cli.bench.contenders.base import NetworkRunner, Runner, Sample, Task
from scales_cli.engine.load import load_engine
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.video.enlarger import FrameEnlarger
from scales_cli.video.frame import Frame, PixelFormat, VideoFormat

_PIXELS = PixelFormat(left=True)  # 4:2:0 of 8 bits, as most video is


class VideoRunner(Runner):
    """Gives the planes of the next frame, enlarged; it is noise, for no contender's time depends on what is shown."""

    frames = 1  # of a run

    def __init__(self, task: Task, changing: float = 1.0) -> None:
        """`changing` is the share of the rows, from the top, that are others in each frame."""
        rng, shapes = np.random.default_rng(0), _PIXELS.shapes(task.width, task.height)
        clip = [[rng.integers(16, 236, shape, np.uint8) for shape in shapes] for _ in range(3)]
        for planes in clip[1:]:
            for plane, first in zip(planes, clip[0], strict=True):
                still = round(changing * len(plane))
                plane[still:] = first[still:]
        self._clip = itertools.cycle(Frame(tuple(planes)) for planes in clip)
        self._size = (task.spec.scale * task.width, task.spec.scale * task.height)

    def run(self) -> Any:
        return self.enlarge(next(self._clip))

    def sample(self) -> Sample:
        """Of a frame: a run's share."""
        run = super().sample()
        return Sample(run.seconds / self.frames, run.cpu_seconds / self.frames)

    def enlarge(self, frame: Frame) -> Any:
        raise NotImplementedError


class ScalesVideo(VideoRunner):
    """What `scales video` does between decoding and encoding. It works on several frames at once."""

    frames = 8

    def __init__(self, task: Task, changing: float = 1.0) -> None:
        super().__init__(task, changing)
        engine = load_engine(task.model, threads=task.threads)
        upscaler = Upscaler(engine, threads=task.threads, ensemble=task.ensemble)
        self._enlarger = FrameEnlarger(upscaler, VideoFormat(task.width, task.height, _PIXELS), self._size)
        self.model_bytes = task.model.stat().st_size

    def run(self) -> Any:
        for frame in self._enlarger.enlarge_all(itertools.islice(self._clip, self.frames)):
            last = frame
        return last.planes


class NetworkVideo(VideoRunner):
    """Luma by another network, chroma by OpenCV's bicubic interpolation."""

    def __init__(self, task: Task, build: Callable[[Task], NetworkRunner]) -> None:
        import cv2

        super().__init__(task)
        self._network = build(task)
        cv2.setNumThreads(task.threads)
        self.model_bytes = self._network.model_bytes

    def enlarge(self, frame: Frame) -> Any:
        import cv2

        luma, *chroma = frame.planes
        self._network.planes = np.multiply(luma, np.float32(1 / 255), dtype=np.float32)[None, None]
        made = cv2.convertScaleAbs(cv2.max(self._network.run()[0], 0.0), alpha=255.0)
        shape = _PIXELS.shapes(*self._size)[1]
        return [made, *(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_CUBIC) for plane in chroma)]


class FfmpegLanczos(VideoRunner):
    """Lanczos interpolation by FFmpeg's swscale."""

    def __init__(self, task: Task) -> None:
        from av.video.reformatter import VideoReformatter

        super().__init__(task)
        self._reformatter, self._threads = VideoReformatter(), task.threads

    def enlarge(self, frame: Frame) -> Any:
        import av

        height, width = frame.planes[0].shape
        image = av.VideoFrame(width, height, "yuv420p")
        for samples, given in zip(_views(image), frame.planes, strict=True):
            samples[:] = given
        return _views(self._reformatter.reformat(image, *self._size, interpolation="LANCZOS", threads=self._threads))


def _views(image: Any) -> list[Any]:
    """The samples of a frame of FFmpeg's."""
    return [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in image.planes
    ]
