"""What a bench found out: contests, each with a row for every contender, and what a further pixel takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from scales_cli.backbones.cost import Cost
from scales_cli.bench.contenders.plain import PublishedScore
from scales_cli.bench.latency import Spread


@dataclass(frozen=True)
class ContestRow:
    """One contender in one contest. `busy_cores` is processor time over time: how many threads really worked."""

    contender: str
    ns_per_pixel: Spread
    times_scales: Spread
    output_megapixels_per_second: float
    busy_cores: float
    peak_memory: int | None
    model_bytes: int | None
    cost: Cost | None
    psnr: float | None


@dataclass(frozen=True)
class LayerSpeed:
    """A fused binary layer on one thread, and what fraction of bare xor, popcount and add it reaches."""

    ns_per_pixel: Spread
    macs_per_second: Spread
    peak_macs_per_second: Spread
    fraction: Spread


@dataclass(frozen=True)
class Contest:
    """What was timed in turn: one model, size (of the LR picture) and number of threads.

    With `video` the pictures were frames.
    """

    model: str
    trained: bool
    width: int
    height: int
    threads: int
    rounds: int
    rows: tuple[ContestRow, ...]
    layer: LayerSpeed | None
    video: bool = False

    @property
    def pixels(self) -> int:
        """Pixels of the LR picture."""
        return self.width * self.height


@dataclass(frozen=True)
class Marginal:
    """What each further LR pixel takes, from the smallest to the largest picture: without start and set-up."""

    model: str
    threads: int
    contender: str
    ns_per_pixel: float


@dataclass
class Report:
    """Fills while the bench runs; `skipped` tells by contender why it did not take part."""

    scale: int
    machine: dict[str, Any]
    ensemble: int = 1  # of scales
    published: tuple[PublishedScore, ...] = ()  # of networks whose shape was timed
    contests: list[Contest] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        marginals = [asdict(item) for item in self.marginals()]
        return {"version": 1} | asdict(self) | {"marginals": marginals}

    def marginals(self) -> Iterator[Marginal]:
        groups: dict[tuple[str, int], list[Contest]] = defaultdict(list)
        for contest in self.contests:
            groups[contest.model, contest.threads].append(contest)
        for (model, threads), contests in groups.items():
            small, large = (pick(contests, key=lambda contest: contest.pixels) for pick in (min, max))
            if small.pixels == large.pixels:
                continue
            before = {row.contender: row.ns_per_pixel.median for row in small.rows}
            for row in large.rows:
                if row.contender in before:
                    total = row.ns_per_pixel.median * large.pixels - before[row.contender] * small.pixels
                    yield Marginal(model, threads, row.contender, total / (large.pixels - small.pixels))
