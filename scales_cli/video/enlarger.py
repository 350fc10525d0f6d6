"""Frames of video, enlarged: luma by the network, chroma bicubically, still areas steadily."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine import native_module as native
from scales_cli.engine.base import ArrayPlanes, Planes, Residual, check_finite
from scales_cli.engine.composition import compose
from scales_cli.engine.native_engine import NativeEngine
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import UsageError
from scales_cli.pipeline.flats import settle
from scales_cli.pipeline.resampling import resample_rows
from scales_cli.pipeline.upscaler import Chosen, Upscaler, crop
from scales_cli.video.chroma import enlarge_chroma, gather_from_luma, rounded, spread_to_luma
from scales_cli.video.frame import Frame, PixelFormat, Plane, VideoFormat
from scales_cli.video.steadying import Steadier

_BINS = 64  # of a luma histogram
_OTHER_SCENE = 0.25  # of the pixels are in other bins than when the gates were fixed
_CENTER = np.float32(128 / 255)  # of chroma, to the network


class FrameEnlarger:
    """Enlarges the frames of one video, in their order, to `size` (width, height).

    The network's channel gates are fixed on the first frame of a scene, and hold until the picture's brightness is
    another: so each frame costs what it costs alone, and gates do not flicker. A frame that equals the one before is
    not computed again. `strength` is as in `Upscaler.upscale`.
    """

    def __init__(
        self, upscaler: Upscaler, video: VideoFormat, size: tuple[int, int], *, strength: float | None = None
    ) -> None:
        self._engines = [_video_engine(one) for one in upscaler.candidates(strength)]  # one of which a scene gets
        self.scale, self.size = upscaler.scale, size
        self._video, self._pixels = video, video.pixels
        self._upscaler, self._wanted = upscaler, strength
        self._chosen: Chosen | None = None
        self._tiling = Tiling(video.height, max(video.width // upscaler.threads.size, 32), 16)
        self._gates: native.FixedGates | None = None
        self._scene: NDArray[np.int64] | None = None  # the histogram when the gates were fixed
        self._seen: Planes | None = None
        self._residual: Residual | None = None
        self._steadier = Steadier(self.scale, self._pixels.white)

    def enlarge(self, frame: Frame) -> Frame:
        """The frame at its new size, of the same time."""
        luma = np.minimum(frame.planes[0], self._pixels.white)
        residual, chroma_residual = self._added(frame, luma)
        steady = self._steadier.steady(luma, residual[0])
        planes = [self._enlarged_luma(luma, steady)]
        shapes = self._pixels.shapes(*self.size)
        ratio = (self.size[0] / self._video.width, self.size[1] / self._video.height)
        for index, plane in enumerate(frame.planes[1:]):
            codes = np.minimum(plane, self._pixels.white)
            if chroma_residual is not None:
                added = gather_from_luma(chroma_residual[index], self._pixels) * self._pixels.chroma_span
                codes = rounded(codes.astype(np.float32) + added, self._pixels)
            planes.append(enlarge_chroma(codes, ratio, shapes[1], self._pixels))
        return replace(frame, planes=tuple(planes))

    def working_bytes(self) -> int:
        """Memory beside the frames themselves."""
        return max(map(self._bytes_of, self._engines))

    def _bytes_of(self, engine: NativeEngine) -> int:
        height, width, spec = self._video.height, self._video.width, engine.spec
        _, network = engine.plan(height, width, budget=2**62, pixel_bytes=0)
        network = max(network, self._tiling.nbytes(spec, height, width, engine.threads, 0))
        # Planes of two frames, the change between them, the residual, its mean, and their difference.
        return network + 4 * height * width * (2 * spec.inputs + 8 + 5 * self.scale**2)

    def _added(self, frame: Frame, luma: Plane) -> Residual:
        """What the network adds to a frame."""
        self._fix_scene(frame, luma)
        seen = self._planes(frame, luma)
        if self._residual is None or self._seen is None or not np.array_equal(seen, self._seen):
            assert self._gates is not None
            self._residual = _joined(list(self._engine.stream(ArrayPlanes(seen), self._gates, self._tiling)))
            check_finite(self._residual.planes)
            self._seen = seen
        if frame.planes[1:] and all((plane == self._pixels.neutral).all() for plane in frame.planes[1:]):
            return Residual(self._residual.planes)  # grey stays grey
        return self._residual

    def _fix_scene(self, frame: Frame, luma: Plane) -> None:
        """Fixes gates and strength if a scene begins."""
        histogram = np.bincount((luma >> (self._pixels.depth - 6)).ravel(), minlength=_BINS)
        if self._scene is not None and np.abs(histogram - self._scene).sum() < 2 * _OTHER_SCENE * luma.size:
            return
        self._scene, self._seen = histogram, None
        picture = luma[..., None] if self._pixels.depth == 8 else _as_16_bits(luma, self._pixels)[..., None]
        self._chosen = self._upscaler.choose(picture, strength=self._wanted)
        self._gates = self._engine.fix_gates(ArrayPlanes(self._planes(frame, luma)))

    @property
    def _engine(self) -> NativeEngine:
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

    def _enlarged_luma(self, luma: Plane, residual: Planes) -> Plane:
        pixels = self._pixels
        shift = 0 if pixels.depth == 8 else 16 - pixels.depth
        image = luma if pixels.depth == 8 else _as_16_bits(luma, pixels)
        picture, threads = image[..., None], self._upscaler.threads
        added = residual[None] * np.float32((pixels.luma_span << shift) / np.iinfo(image.dtype).max)
        added = settle(added, partial(crop, picture), luma.shape, 0, self.scale, threads)
        result = compose(picture, added, self.scale, threads=threads)
        if result.shape[1::-1] != self.size:
            rows = resample_rows(iter([result]), result.shape[0], self.size)
            result = np.concatenate(list(rows))
        if shift:
            result = np.minimum((result.astype(np.uint32) + (1 << (shift - 1))) >> shift, pixels.white)
        return result[..., 0].astype(pixels.dtype, copy=False)


def _video_engine(upscaler: Upscaler) -> NativeEngine:
    """The engine of an upscaler, if it can fix its gates and sees luma. Raises `UsageError`."""
    engine = upscaler.engine
    if not isinstance(engine, NativeEngine) or engine.spec.planes == "rgb":
        raise UsageError(f"{upscaler.name} does not enlarge video", "choose tiny, base or a photo model")
    return engine


def _as_16_bits(luma: Plane, pixels: PixelFormat) -> NDArray[np.uint16]:
    return np.left_shift(luma, 16 - pixels.depth).astype(np.uint16, copy=False)


def _joined(pieces: list[Residual]) -> Residual:
    chroma = [piece.chroma for piece in pieces if piece.chroma is not None]
    planes = np.concatenate([piece.planes for piece in pieces], axis=1)
    return Residual(planes, np.concatenate(chroma, axis=1) if chroma else None)
