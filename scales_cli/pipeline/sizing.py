"""How large a result is, and which network's output it is made of."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from numbers import Real
from typing import Self

from scales_cli.arguments import check_whole
from scales_cli.backbones.spec import SCALES
from scales_cli.errors import InputError, UsageError


@dataclass(frozen=True)
class Sizing:
    """A factor for both sides, or bounds in pixels: then the largest size of the same shape within them.

    Networks enlarge by the whole numbers `scales`. For a size in between, the smallest network that reaches it
    enlarges, and its output is shrunk.
    """

    factor: float = 4
    width: int | None = None
    height: int | None = None
    longest: int | None = None
    scales: tuple[int, ...] = SCALES

    def __post_init__(self) -> None:
        for name, bound in (("width", self.width), ("height", self.height), ("max_size", self.longest)):
            check_whole(name, bound, 1, sys.maxsize)
        if not isinstance(self.factor, Real):
            raise UsageError(f"scale is {self.factor!r}", f"give a number, at most {max(SCALES)}")
        if not 1 < self.factor <= max(SCALES):
            raise UsageError(f"a scale of {self.factor:g} is not supported", f"use more than 1, at most {max(SCALES)}")

    @classmethod
    def of(
        cls,
        factor: float | None,
        width: int | None,
        height: int | None,
        longest: int | None,
        *,
        scales: tuple[int, ...] = SCALES,
        default: float = 4,
    ) -> Self:
        """What is asked for, of which most is None; raises `UsageError` for a factor and a bound at once."""
        if factor is None:
            return cls(default, width, height, longest, scales)
        if (width, height, longest) != (None, None, None):
            raise UsageError("a scale and a size exclude each other", "leave out -s")
        return cls(factor, scales=scales)

    @property
    def is_bounded(self) -> bool:
        return (self.width, self.height, self.longest) != (None, None, None)

    @property
    def label(self) -> str:
        """For names of results: `x2`, `x1.5`, `w1920`."""
        bounds = (("w", self.width), ("h", self.height), ("max", self.longest))
        given = [f"{name}{value}" for name, value in bounds if value is not None]
        return "_".join(given) if given else f"x{self.factor:g}"

    @property
    def network_scales(self) -> tuple[int, ...]:
        """The scales of the networks that may be needed, the one to load first in front."""
        return self.scales[::-1] if self.is_bounded else (self._reaching(self.factor),)

    def result(self, width: int, height: int) -> tuple[int, int]:
        """The size of a picture's result; raises `InputError` for one that no network reaches."""
        factor = self.factor
        if self.is_bounded:
            bounds = ((self.width, width), (self.height, height), (self.longest, max(width, height)))
            factor = min(bound / side for bound, side in bounds if bound is not None)
        if factor > max(SCALES):
            raise InputError(
                f"{width} x {height} pixels cannot become {width * factor:.0f} x {height * factor:.0f} at once",
                f"{width * max(SCALES)} x {height * max(SCALES)} is the most, or enlarge the result again",
            )
        return max(1, math.floor(width * factor + 0.5)), max(1, math.floor(height * factor + 0.5))

    def network_scale(self, width: int, height: int) -> int:
        """The scale of the network that makes a picture's result."""
        if not self.is_bounded:
            return self._reaching(self.factor)
        larger, higher = self.result(width, height)
        return self._reaching(max(larger / width, higher / height))

    def _reaching(self, factor: float) -> int:
        """The scale of the network for a factor, whether the model has it or not."""
        known = SCALES if factor in SCALES and not self.is_bounded else self.scales
        return min((scale for scale in known if scale >= factor), default=max(SCALES))
