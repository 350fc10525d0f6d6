"""What becomes of a picture."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from scales_cli.errors import ScalesError


@dataclass(frozen=True)
class Done:
    """What was written; `output` is `-` for standard output, `notes` are things the user should know.

    `strength` in [0, 1] is how much was mended, None by a model that does not; `ensemble` how many flips and turns the
    network saw.
    """

    input: str
    output: str
    width: int
    height: int
    seconds: float
    scale: float
    model: str
    notes: tuple[str, ...] = ()
    strength: float | None = None
    ensemble: int = 1

    def to_dict(self) -> dict[str, Any]:
        values = dataclasses.asdict(self) | {"seconds": round(self.seconds, 3)}
        if self.strength is None:
            del values["strength"]
        if self.ensemble == 1:
            del values["ensemble"]
        return values


@dataclass(frozen=True)
class Failed:
    """An input that could not be enlarged, and why."""

    input: str
    error: ScalesError
