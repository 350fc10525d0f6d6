"""What programs in Python call: a picture of any kind, enlarged by one call."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, TypeVar, overload

import numpy as np
from PIL import Image

from scales_cli.arguments import check_kinds, check_whole, plain
from scales_cli.errors import UsageError
from scales_cli.imaging.files import read_image, spool
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.rgb import as_rgb
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.memory import default_limit, fit_job
from scales_cli.pipeline.outcome import Done, Failed
from scales_cli.pipeline.plan import STREAM, plan_job
from scales_cli.pipeline.run import attempt
from scales_cli.pipeline.targets import check_clashes, check_target
from scales_cli.pipeline.upscaler import Chosen, Upscaler
from scales_cli.pipeline.upscalers import Upscalers, load
from scales_cli.system.progress import Progress
from scales_cli.weights.family import Loaded, ModelFamily

StrPath = str | os.PathLike[str]
Kind = TypeVar("Kind", Pixels, Image.Image, bytes)


@overload
def upscale(
    picture: Kind,
    scale: int | None = None,
    model: StrPath | Upscaler | None = None,
    threads: int | None = None,
    ensemble: int = 1,
    denoise: float | None = None,
) -> Kind: ...
@overload
def upscale(
    picture: StrPath,
    scale: int | None = None,
    model: StrPath | Upscaler | None = None,
    threads: int | None = None,
    ensemble: int = 1,
    denoise: float | None = None,
) -> Pixels: ...
def upscale(
    picture: Pixels | Image.Image | bytes | StrPath,
    scale: int | None = None,
    model: StrPath | Upscaler | None = None,
    threads: int | None = None,
    ensemble: int = 1,
    denoise: float | None = None,
) -> Pixels | Image.Image | bytes:
    """Enlarges a picture, and gives one of the same kind: an array, an image of Pillow, or the bytes of a file.

    Of a file that is named by its path it gives the pixels, [H, W] if it is grey, else [H, W, C]. Without a `scale` it
    is 4, or that of a `model` that was loaded before. `ensemble` is as for `load`, `denoise` as for `upscale_file`.
    """
    strength = _strength(denoise)
    check_kinds(scale=scale)
    if isinstance(model, Upscaler):
        _check_ensemble(model, ensemble)
        upscaler = Upscalers(_family_of(model), opened=[model])[model.scale if scale is None else scale]
    else:
        upscaler = load(model, 4 if scale is None else scale, threads=threads, ensemble=ensemble)
    if isinstance(picture, bytes):
        target = io.BytesIO()
        upscale_file(picture, target, model=upscaler, denoise=denoise)
        return target.getvalue()
    if not isinstance(picture, (str, os.PathLike)):
        return upscaler.upscale(picture, strength=strength)
    check_kinds(picture=picture)
    read = read_image(picture, max_pixels=MAX_OUTPUT_PIXELS // upscaler.scale**2)
    pixels = upscaler.choose(read.pixels, read.layout, strength).upscale(read.pixels)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def upscale_file(
    source: StrPath | bytes | BinaryIO,
    target: StrPath | BinaryIO | None = None,
    *,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    max_size: int | None = None,
    model: StrPath | Upscaler | None = None,
    format: str | None = None,
    quality: int | None = None,
    lossless: bool = False,
    background: str | tuple[int, int, int] | None = None,
    metadata: str = "safe",
    frames: str = "first",
    name: str | None = None,
    keep_times: bool = False,
    salvage: bool = False,
    denoise: float | None = None,
    ensemble: int = 1,
    overwrite: bool = False,
    max_pixels: int = MAX_OUTPUT_PIXELS,
    max_memory: int | None = None,
    tile: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Done:
    """Enlarges a file as `scales upscale` does, to the same bytes; options have the names they have there.

    Those that are numbers there are numbers, of pixels or of bytes. A `background` may be red, green and blue (0..255).

    `source` is a path, a file's bytes or an open binary file; `target` a path, a folder or a binary file that is open
    for writing, by default a name of its own beside the source. A `model` that was loaded before is used as it is.
    The result tells what was written, and in `notes` what could not be kept. Raises `ScalesError`.
    """
    strength = _strength(denoise)
    check_whole("max_memory", max_memory, 1)
    loaded = [model] if isinstance(model, Upscaler) else []
    check_kinds(
        source=source,
        target=target,
        scale=scale,
        model=None if loaded else model,
        format=format,
        quality=quality,
        lossless=lossless,
        background=background,
        name=name,
        keep_times=keep_times,
        salvage=salvage,
        overwrite=overwrite,
        progress=progress,
    )
    for upscaler in loaded:
        _check_ensemble(upscaler, ensemble)
        if (scale, width, height, max_size) == (None, None, None, None):
            scale = upscaler.scale
    enlargement = Enlargement.of(
        _family_of(model) if isinstance(model, Upscaler) else model,
        scale=plain(scale),
        width=plain(width),
        height=plain(height),
        max_size=plain(max_size),
        format=format,
        quality=plain(quality),
        lossless=lossless,
        background=background,
        metadata=metadata,
        frames=frames,
        name=name,
        keep_times=keep_times,
        salvage=salvage,
        denoise=strength,
        ensemble=ensemble,
        max_pixels=plain(max_pixels),
        tile=plain(tile),
    )
    upscalers = Upscalers(enlargement.family, threads, loaded, ensemble=ensemble)
    upscalers[enlargement.sizing.network_scales[0]]  # a model that cannot be opened is named before the picture is read
    source_name, opened = _opened(source)
    if target is None and opened is not None:
        raise UsageError("there is no target", "give a path or an open file")
    sink = None if target is None or isinstance(target, (str, os.PathLike)) else target
    output = STREAM if sink is not None else None if target is None else os.fspath(target)  # type: ignore[arg-type]
    job = plan_job(source_name, output, enlargement, overwrite=overwrite, source=opened)
    if job.target is not None:
        check_clashes([(source_name, job.target)], [] if opened is not None else [source_name])
        check_target(job.target, overwrite)
    upscaler = upscalers[job.scale]
    job = fit_job(job, upscaler, default_limit() if max_memory is None else int(max_memory), enlargement.tile)
    outcome = attempt(upscaler, job, progress, sink)
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome


def enlarge_rgb(file: bytes, upscaler: Upscaler, strength: float | None = None) -> tuple[Pixels, Chosen]:
    """The RGB pixels of an enlarged 8-bit file, [sH, sW, 3], for scores, and what enlarged it."""
    picture = read_image(file)
    chosen = upscaler.choose(picture.pixels, picture.layout, strength)
    large = chosen.upscale(picture.pixels)
    return np.ascontiguousarray(as_rgb(large)), chosen


def _check_ensemble(upscaler: Upscaler, ensemble: int) -> None:
    if ensemble not in (1, upscaler.ensemble):
        raise UsageError(f"this upscaler was loaded for ensembles of {upscaler.ensemble}", "give ensemble to load")


def _family_of(upscaler: Upscaler) -> ModelFamily:
    return ModelFamily(upscaler.name, {upscaler.scale: Loaded(upscaler.name)})


def _strength(denoise: float | None) -> float | None:
    check_kinds(denoise=denoise)
    return None if denoise is None else float(denoise) / 100


def _opened(source: StrPath | bytes | BinaryIO) -> tuple[str, BinaryIO | None]:
    """A source's name in messages; a seekable stream, if it is none that is opened by its name."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source), None
    if isinstance(source, bytes):
        return "<bytes>", io.BytesIO(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<file>", source if source.seekable() else spool(source)
