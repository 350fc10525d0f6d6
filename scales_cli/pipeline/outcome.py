"""What becomes of a picture."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from scales_cli.errors import ScalesError
from scales_cli.imaging.wear.estimate import Wear


@dataclass(frozen=True)
class Done:
    """What was written; `output` is `-` for standard output, `notes` are things the user should know.

    `strength` in [0, 1] is how much was mended, None by a model that does not; `wear` is what the picture showed, None
    if nothing depended on it; `ensemble` how many flips and turns the network saw.
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
    wear: Wear | None = None
    ensemble: int = 1

    @property
    def choice(self) -> str:
        """The model and how much it mended, in words."""
        return self.model if self.strength is None else f"{self.model}, strength {100 * self.strength:.0f}"

    @property
    def explanation(self) -> str:
        """`choice`, and what it follows from."""
        return self.choice if self.wear is None else f"{self.choice} ({self.wear.reason})"

    def to_dict(self) -> dict[str, Any]:
        values = dataclasses.asdict(self) | {
            "seconds": round(self.seconds, 3),
            "wear": self.wear and self.wear.to_dict(),
            "ensemble": None if self.ensemble == 1 else self.ensemble,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Failed:
    """An input that could not be enlarged, and why."""

    input: str
    error: ScalesError
