"""Upscalers by the names of models; one of them takes another network for pictures that are not clean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial

from scales_cli.arguments import check_kinds
from scales_cli.backbones.spec import SCALES
from scales_cli.engine.load import load_engine
from scales_cli.errors import UsageError
from scales_cli.imaging.picture import Details, Pixels
from scales_cli.imaging.wear.estimate import estimate_wear
from scales_cli.pipeline.upscaler import UNKNOWN, Chosen, Upscaler
from scales_cli.weights.family import AutoFamily, ModelFamily, resolve
from scales_cli.weights.registry import AUTO


class AutoUpscaler(Upscaler):
    """Enlarges clean pictures with one network, and with another, that mends, those of a strength from `auto_from` on.

    The other is opened when it is first needed; without it all pictures go to the first.
    """

    def __init__(
        self,
        clean: Upscaler,
        open_mending: Callable[[], Upscaler] | None,
        auto_from: float = 0.0,
        threads: int | None = None,
    ) -> None:
        super().__init__(clean.engine, name=AUTO, threads=threads)
        self.ensemble = clean.ensemble
        self._clean, self._open_mending, self._auto_from = clean, open_mending, auto_from

    @cached_property
    def _mending(self) -> Upscaler:
        if self._open_mending is None:
            raise UsageError(f"there is no photo model that enlarges by {self.scale}", "ask for no strength")
        return self._open_mending()

    def choose(self, pixels: Pixels, details: Details = UNKNOWN, strength: float | None = None) -> Chosen:
        """A strength that is asked for decides by being 0 or not, one that is seen by being less than `auto_from`."""
        if strength:
            return self._mending.choose(pixels, details, strength)
        if not self.looks(strength):
            return Chosen(self._clean)
        wear = estimate_wear(pixels, details)
        if wear.strength < self._auto_from:
            return Chosen(self._clean, wear=wear)
        return Chosen(self._mending, wear.strength, wear)

    def candidates(self, strength: float | None) -> Iterator[Upscaler]:
        if not strength:
            yield self._clean
        if strength or self.looks(strength):
            yield self._mending

    def looks(self, strength: float | None) -> bool:
        return strength is None and self._open_mending is not None


class Upscalers(dict[int, Upscaler]):
    """The upscalers of a model by their scale; those that are not `opened` yet are when they are first asked for."""

    def __init__(
        self,
        family: ModelFamily,
        threads: int | None = None,
        opened: Iterable[Upscaler] = (),
        *,
        ensemble: int = 1,
    ) -> None:
        super().__init__({upscaler.scale: upscaler for upscaler in opened})
        self._family, self._threads, self._ensemble = family, threads, ensemble

    def __missing__(self, scale: int) -> Upscaler:
        family = self._family
        self[scale] = found = self._open(family, scale)
        if isinstance(family, AutoFamily):
            mending = partial(self._open, family.mending, scale) if family.mends(scale) else None
            self[scale] = AutoUpscaler(found, mending, family.auto_from.get(scale, 0.0), self._threads)
        return self[scale]

    def _open(self, family: ModelFamily, scale: int) -> Upscaler:
        model = family.open(scale)
        engine = load_engine(model.weights, threads=self._threads)
        return Upscaler(engine, name=model.name, threads=self._threads, ensemble=self._ensemble)


def load(
    model: str | os.PathLike[str] | None = None, scale: int = 4, *, threads: int | None = None, ensemble: int = 1
) -> Upscaler:
    """An `Upscaler` for a model's name or path, or `auto`, which chooses for each picture; without one, the default.

    With an `ensemble` of 2, 4 or 8, the network sees each picture in as many flips and turns, which takes as many times
    as long; the mean is a little better. Raises `WeightsError` if there is no such model, or none for the scale.
    """
    check_kinds(model=model, scale=scale)
    if scale not in SCALES:
        raise UsageError(f"scale {scale!r} is not supported", "use 2, 3 or 4")
    return Upscalers(resolve(model), threads, ensemble=ensemble)[scale]
