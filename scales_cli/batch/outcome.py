"""What becomes of an input of a batch, beside `Done` and `Failed`."""

from __future__ import annotations

from dataclasses import dataclass

from scales_cli.pipeline.outcome import Done, Failed


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that nothing was done for, because of its `output`: it "exists", or was "done before"."""

    input: str
    output: str
    reason: str


@dataclass(frozen=True, slots=True)
class Planned:
    """An input, and the output that a run would write."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file in a folder that is a picture by its name, of a kind that is not read: `.heic`."""

    input: str
    kind: str


Outcome = Done | Failed | Skipped | LeftOut
