"""How pictures are enlarged: all that decides a result, and the bounds within which it is made."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from scales_cli.arguments import check_whole
from scales_cli.engine.tiling import LEAST_TILE
from scales_cli.errors import OutputError, WeightsError
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS
from scales_cli.imaging.output_options import DEFAULTS, OutputOptions
from scales_cli.pipeline.sizing import Sizing
from scales_cli.weights.family import Downloading, ModelFamily, resolve


@dataclass(frozen=True)
class Enlargement:
    """By which model, to which size, and how the result is written.

    `max_pixels` is the most that a result may have. `tile` is the side of tiles in input pixels; None leaves it to the
    engine. `denoise` in [0, 1] is how much is mended by models that can; None leaves it to what each picture shows.
    `ensemble` is how many flips and turns of a picture the network sees.
    """

    family: ModelFamily
    sizing: Sizing
    output: OutputOptions = DEFAULTS
    max_pixels: int = MAX_OUTPUT_PIXELS
    tile: int | None = None
    denoise: float | None = None
    ensemble: int = 1

    def __post_init__(self) -> None:
        check_whole("max_pixels", self.max_pixels, 1, required=True)
        check_whole("tile", self.tile, LEAST_TILE)

    @classmethod
    def of(
        cls,
        model: str | os.PathLike[str] | ModelFamily | None = None,
        *,
        scale: float | None = None,
        width: int | None = None,
        height: int | None = None,
        max_size: int | None = None,
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
        max_pixels: int = MAX_OUTPUT_PIXELS,
        tile: int | None = None,
    ) -> Self:
        """By options with the names and values that they have in `scales upscale`.

        Raises `UsageError` for options that exclude each other, `WeightsError` if there is no such model.
        """
        output = OutputOptions.of(format, quality, lossless, background, metadata, frames, name, keep_times, salvage)
        family = model if isinstance(model, ModelFamily) else resolve(model)
        sizing = Sizing.of(scale, width, height, max_size, scales=family.scales_for(denoise))
        return cls(family, sizing, output, max_pixels, tile, denoise, ensemble)

    def pull(self, downloading: Downloading | None = None) -> None:
        """Brings the network that is needed first to this machine. Raises `WeightsError` if that is impossible."""
        self.family.pull(self.sizing.network_scales[0], downloading)

    def check_denoise(self) -> None:
        """Raises `UsageError` if denoising is asked of a model that cannot, `WeightsError` if that cannot be opened."""
        if self.denoise is not None:
            self.family.check_denoise(self.sizing.network_scales[0], self.denoise)

    def fingerprint(self) -> str:
        """Identifies all that changes a result, the model's weights included.

        Raises `WeightsError` if the network that is needed first cannot be opened.
        """
        models = [self.family.digest(self.sizing.network_scales[0])]
        for scale in self.sizing.network_scales[1:]:
            with suppress(WeightsError, OutputError):  # who needs that one will say so
                models.append(self.family.digest(scale))
        format_name = self.output.format and self.output.format.name
        values = dataclasses.asdict(self.output) | dataclasses.asdict(self.sizing)
        values |= {"format": format_name, "models": models}
        values |= {"denoise": self.denoise, "ensemble": self.ensemble}
        defaults = {"name": None, "denoise": None, "keep_times": False, "salvage": False, "ensemble": 1}
        for added, default in defaults.items():  # manifests of runs without them stay true
            if values[added] == default:
                del values[added]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
