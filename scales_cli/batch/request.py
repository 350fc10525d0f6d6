"""What a batch is asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scales_cli.batch.selection import Filter
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.storage.locations import Location


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """Which pictures are enlarged, how, and where results and records of them go.

    `inputs` are folders, patterns or files, here or at addresses; `shard` (index, count) takes part `index` of 1..count
    of what they name. `manifest` is the file of records; None leaves them in `output`. `jobs` are the pictures in work
    at a time, by default one for each core, `threads` those of each. `max_memory` bounds all processes together, in
    bytes; `timeout` each picture, in seconds. `on_clash` says what becomes of inputs that would have one output: the
    batch does not begin ("stop"), all but the first are left out ("skip"), or have numbers in their names ("number").
    `scheduler` is that of a cluster which does the work; `max_memory` bounds each of its workers then.
    """

    inputs: Sequence[str]
    output: Location
    enlargement: Enlargement
    chosen: Filter = field(default_factory=Filter)
    recursive: bool = True
    shard: tuple[int, int] | None = None
    manifest: Path | None = None
    on_clash: str = "stop"
    overwrite: bool = False
    retry_failed: bool = False
    fail_fast: bool = False
    jobs: int | None = None
    threads: int | None = None
    max_memory: int | None = None
    timeout: float | None = None
    scheduler: str | None = None
