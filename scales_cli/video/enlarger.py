"""Frames of video, enlarged: luma by the network, chroma bicubically, still areas steadily."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import ArrayPlanes, Planes, RegionalEngine, Residual, new_residual
from scales_cli.engine.composition import Addition, compose
from scales_cli.engine.renewal import Renewal, renewal_bytes
from scales_cli.errors import InputError, UsageError
from scales_cli.pipeline.flats import flat_weights
from scales_cli.pipeline.resampling import resample_rows
from scales_cli.pipeline.upscaler import Chosen, Upscaler, crop
from scales_cli.system.threads import ThreadPool
from scales_cli.video.changes import changed_regions
from scales_cli.video.chroma import enlarge_chroma, gather_from_luma, rounded, spread_to_luma
from scales_cli.video.frame import Frame, PixelFormat, Plane, VideoFormat
from scales_cli.video.steadying import Steadier

_BINS = 64  # of a luma histogram
_OTHER_SCENE = 0.25  # of the pixels are in other bins than when the gates were fixed
_CENTER = np.float32(128 / 255)  # of chroma, to the network
_BAND_PIXELS = 2**14  # of the input, that a thread finishes at a time: what is made of them stays in its cache
_MOST_FRAMES = 3  # that the network sees at once, each on threads of its own


@dataclass(frozen=True, eq=False)
class _Begun:
    """A frame that the network is seeing."""

    frame: Frame
    luma: Plane  # no code larger than white
    spec: NetworkSpec
    renewal: Renewal
    is_first: bool  # of a scene


class FrameEnlarger:
    """Enlarges the frames of one video, in their order, to `size` (width, height).

    The network's channel gates are fixed on the first frame of a scene, and hold until the picture's brightness is
    another: so each frame costs what it costs alone, and gates do not flicker. Only where a frame differs from the one
    before is it computed again. `strength` is as in `Upscaler.upscale`.
    """

    def __init__(
        self, upscaler: Upscaler, video: VideoFormat, size: tuple[int, int], *, strength: float | None = None
    ) -> None:
        self._engines = [_video_engine(one) for one in upscaler.candidates(strength)]  # one of which a scene gets
        self.scale, self.size = upscaler.scale, size
        self._video, self._pixels = video, video.pixels
        self._upscaler, self._wanted = upscaler, strength
        self._chosen: Chosen | None = None
        self._gates: Any = None
        self._scene: NDArray[np.float32] | None = None  # the histogram when the gates were fixed
        self._seen: Planes | None = None
        self._residual: Residual | None = None
        self._steadier = Steadier(self.scale, self._pixels.white)

    def enlarge(self, frame: Frame) -> Frame:
        """The frame at its new size, of the same time."""
        return self._finish(self._begin(frame))

    def enlarge_all(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """`enlarge` of each. While one is finished, the network sees the next ones, as many as there are threads.

        What is wrong with a frame's source is raised when the frames before it have been given.
        """
        source, begun, ended = iter(frames), deque[_Begun](), None
        try:
            while True:
                try:
                    frame = next(source, None)
                except InputError as error:
                    frame, ended = None, error
                if frame is not None:
                    begun.append(self._begin(frame))
                elif not begun:
                    break
                if frame is None or len(begun) > self._ahead:
                    yield self._finish(begun.popleft())
        finally:
            for one in begun:
                one.renewal.stop()
        if ended:
            raise ended

    @property
    def _ahead(self) -> int:
        """Frames that the network sees while another one is finished."""
        threads = self._upscaler.threads.size
        return 0 if threads == 1 else min(threads, _MOST_FRAMES)

    def _begin(self, frame: Frame) -> _Begun:
        luma = np.minimum(frame.planes[0], self._pixels.white)
        is_first = self._fix_scene(frame, luma)
        seen, engine = self._planes(frame, luma), self._engine
        parts = -(-self._upscaler.threads.size // max(self._ahead, 1))
        regions = changed_regions(self._seen, seen, engine.spec, parts)
        self._seen = seen
        return _Begun(frame, luma, engine.spec, Renewal(engine, ArrayPlanes(seen), self._gates, regions), is_first)

    def _finish(self, begun: _Begun) -> Frame:
        frame, luma = begun.frame, begun.luma
        residual = self._added(begun)
        self._steadier.begin(luma)
        picture = luma if self._pixels.depth == 8 else _as_16_bits(luma, self._pixels)
        height, width = luma.shape
        planes: list[Plane] = [np.empty((self.scale * height, self.scale * width), picture.dtype), *frame.planes[1:]]

        def finish_chroma(index: int) -> None:
            planes[index] = self._enlarged_chroma(frame, index, residual.chroma)

        rows = max(1, _BAND_PIXELS // width)
        tasks = [partial(finish_chroma, index) for index in range(1, len(planes))]
        tasks += [
            partial(self._finish_luma, picture[..., None], residual.planes[0], top, min(top + rows, height), planes[0])
            for top in range(0, height, rows)
        ]
        self._upscaler.threads.run(tasks)
        if self._is_resampled:
            resampled = resample_rows(iter([planes[0][..., None]]), self.scale * height, self.size)
            planes[0] = self._codes(np.concatenate(list(resampled))[..., 0])
        return replace(frame, planes=tuple(planes))

    def working_bytes(self) -> int:
        """Memory beside the frames themselves."""
        height, width = self._video.height, self._video.width
        specs = [engine.spec for engine in self._engines]
        network = max(renewal_bytes(spec, height, width, self._upscaler.threads.size) for spec in specs)
        # Planes of two frames, what differs between them, the residual, its mean, and the sums of an ensemble; and the
        # planes and parts of each frame that is begun.
        inputs, made = max(spec.inputs for spec in specs), self.scale**2
        return network + 4 * height * width * (2 * inputs + 8 + 4 * made + (self._ahead + 1) * (inputs + 4 + made))

    def _added(self, begun: _Begun) -> Residual:
        """What the network adds to a frame."""
        if self._residual is None or begun.is_first:
            self._residual = new_residual(begun.spec, *begun.luma.shape)
        begun.renewal.put(self._residual)
        if begun.spec.has_chroma and all((plane == self._pixels.neutral).all() for plane in begun.frame.planes[1:]):
            return Residual(self._residual.planes)  # grey stays grey
        return self._residual

    def _fix_scene(self, frame: Frame, luma: Plane) -> bool:
        """Fixes gates and strength if a scene begins; whether one does."""
        import cv2

        histogram = cv2.calcHist([luma], [0], None, [_BINS], [0, self._pixels.white + 1])
        if self._scene is not None and np.abs(histogram - self._scene).sum() < 2 * _OTHER_SCENE * luma.size:
            return False
        self._scene, self._seen = np.asarray(histogram, np.float32), None
        picture = luma[..., None] if self._pixels.depth == 8 else _as_16_bits(luma, self._pixels)[..., None]
        self._chosen = self._upscaler.choose(picture, strength=self._wanted)
        self._gates = self._engine.fix_gates(ArrayPlanes(self._planes(frame, luma)))
        return True

    @property
    def _engine(self) -> RegionalEngine:
        """That of the scene."""
        assert self._chosen is not None
        return _video_engine(self._chosen.upscaler)

    def _planes(self, frame: Frame, luma: Plane) -> Planes:
        """What the network sees of a frame: luma in [0, 1], where it is not out of range, and what else it wants."""
        spec, pixels = self._engine.spec, self._pixels
        planes = np.empty((spec.inputs, *luma.shape), np.float32)
        np.subtract(luma, np.float32(pixels.black_level), out=planes[0])
        planes[0] /= np.float32(pixels.luma_span)
        if spec.planes == "ycc":
            planes[1:3] = _CENTER
            for index, plane in enumerate(frame.planes[1:], start=1):
                chroma = (plane.astype(np.float32) - pixels.neutral) / np.float32(pixels.chroma_span)
                planes[index] += spread_to_luma(chroma, luma.shape, pixels)
        if spec.strength:
            planes[-1] = (self._chosen and self._chosen.strength) or 0.0
        return planes

    @property
    def _is_resampled(self) -> bool:
        """Whether the network's scale does not make the size that is asked for."""
        return self.size != (self.scale * self._video.width, self.scale * self._video.height)

    def _finish_luma(
        self, picture: NDArray[Any], residual: Planes, top: int, bottom: int, result: NDArray[Any]
    ) -> None:
        """Puts the enlarged rows [top, bottom) of a picture [H, W, 1] of 8 or 16 bits into the result [sH, sW]."""
        pixels, scale = self._pixels, self.scale
        shift = 0 if pixels.depth == 8 else 16 - pixels.depth
        rows = np.s_[scale * top : scale * bottom]
        factor = np.float32((pixels.luma_span << shift) / np.iinfo(picture.dtype).max)
        added = self._steadier.steady(residual[rows], top)[None] * factor
        weights = flat_weights(partial(crop, picture), picture.shape[:2], (top, bottom), ThreadPool(1))
        made = compose(picture, Addition(added, rows.start, weights=weights), scale)[..., 0]
        result[rows] = made if self._is_resampled else self._codes(made)

    def _codes(self, luma: NDArray[Any]) -> Plane:
        """Luma of 8 or 16 bits as the video has it."""
        pixels = self._pixels
        if pixels.depth in (8, 16):
            return luma
        shift = 16 - pixels.depth
        codes: Plane = np.minimum((luma.astype(np.uint32) + (1 << (shift - 1))) >> shift, pixels.white)
        return codes.astype(pixels.dtype)

    def _enlarged_chroma(self, frame: Frame, index: int, residual: Planes | None) -> Plane:
        pixels = self._pixels
        codes = np.minimum(frame.planes[index], pixels.white)
        if residual is not None:
            added = gather_from_luma(residual[index - 1], pixels) * pixels.chroma_span
            codes = rounded(codes.astype(np.float32) + added, pixels)
        ratio = (self.size[0] / self._video.width, self.size[1] / self._video.height)
        return enlarge_chroma(codes, ratio, pixels.shapes(*self.size)[1], pixels)


def _video_engine(upscaler: Upscaler) -> RegionalEngine:
    """The engine of an upscaler, if it can fix its gates and sees luma. Raises `UsageError`."""
    engine = upscaler.engine
    if not isinstance(engine, RegionalEngine) or not engine.spec.runs_natively or engine.spec.planes == "rgb":
        raise UsageError(f"{upscaler.name} does not enlarge video", "choose tiny, base or a photo model")
    return engine


def _as_16_bits(luma: Plane, pixels: PixelFormat) -> NDArray[np.uint16]:
    return np.left_shift(luma, 16 - pixels.depth).astype(np.uint16, copy=False)
