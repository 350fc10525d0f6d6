"""How a large picture is cut into tiles. Nothing here changes the result, only time and memory.

A tile is computed with a halo of one pixel a layer around it. To its left and right the halo is work done twice. A
tile that runs from the top of the picture to its bottom has no halo there, and a band of such tiles side by side gives
its rows a few at a time, in memory that grows with the picture's width only. Where even that is too much, bands of
fewer rows are done tile after tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine import native_module as native

LEAST_TILE = 16  # side that can be asked for
_MAX_COLUMNS = 2048
_STEPS = (32, 16, 8, 4)  # rows that come out at a time
_BAND_ROWS = (1024, 512, 256, 128, 64, 32, 16)
PIECE_ROWS = 16  # of a region, at a time
_ADDING_BYTES = 2**20  # what adding a piece takes beside


@dataclass(frozen=True)
class Tiling:
    """Bands of `rows` LR rows in tiles at most `columns` LR pixels wide, which give `step` rows at a time.

    With `step` < `rows` the tiles of a band are alive together; otherwise a thread makes one after the other.
    """

    rows: int
    columns: int
    step: int

    @property
    def side_by_side(self) -> bool:
        return self.step < self.rows

    def tiles(self, width: int) -> list[tuple[int, int]]:
        """Column ranges of about the same width."""
        count = -(-width // self.columns)
        return [(width * i // count, width * (i + 1) // count) for i in range(count)]

    def nbytes(self, spec: NetworkSpec, height: int, width: int, threads: int, pixel_bytes: int) -> int:
        """Working memory; `pixel_bytes` is what an output pixel takes between the network and the file."""
        count = -(-width // self.columns)
        alive = count if self.side_by_side else min(count, threads)
        widest = min(-(-width // count) + 2 * spec.receptive_field, width)
        out_pixels = spec.scale**2 * width * min(self.step, height)
        return alive * stream_bytes(spec, widest) + out_pixels * (residual_bytes(spec) + 1 + pixel_bytes)


def stream_bytes(spec: NetworkSpec, columns: int) -> int:
    """Memory of a `RowStream` of so many columns, halo included."""
    return native.RowStream.bytes(**_shape(spec), columns=columns)


def gate_pass_bytes(spec: NetworkSpec, rows: int, width: int, threads: int) -> int:
    """Memory of a `GatePass` over so many rows, by so many threads."""
    return native.GatePass.bytes(**_shape(spec), rows=rows, width=width, threads=threads)


def residual_bytes(spec: NetworkSpec) -> int:
    """What the residual takes of an output pixel; chroma, which is as large as the input, is copied once."""
    return 4 * spec.colors + (-(-2 * 2 * 4 // spec.scale**2) if spec.has_chroma else 0)


def _shape(spec: NetworkSpec) -> dict[str, int]:
    return {
        "scale": spec.scale,
        "planes": spec.inputs,
        "colors": spec.colors,
        "chroma": 2 if spec.has_chroma else 0,
        "channels": spec.n_feats,
        "layers": spec.n_convs,
    }


def choose_tiling(spec: NetworkSpec, height: int, width: int, *, threads: int, budget: int, pixel_bytes: int) -> Tiling:
    """The fastest tiling whose working memory stays within `budget` bytes, or where none does the smallest."""

    def rank(tiling: Tiling) -> tuple[int, float]:
        excess = max(tiling.nbytes(spec, height, width, threads, pixel_bytes) - budget, 0)
        return excess, _cost(tiling, spec, height, width, threads)

    return min(_candidates(height, width, threads), key=rank)


def choose_regions(
    spec: NetworkSpec,
    height: int,
    width: int,
    *,
    threads: int,
    budget: int,
    pixel_bytes: int,
    tile: int | None = None,
) -> tuple[Tiling, int]:
    """The fastest bands and tiles that are computed upright and sideways, or the smallest; and what they take."""

    def nbytes(tiling: Tiling) -> int:
        count = -(-width // tiling.columns)
        longest = max(min(tiling.rows, height), -(-width // count))  # turned sideways, a tile is as wide as it was high
        columns = min(longest + 2 * spec.receptive_field, max(height, width))
        piece = spec.scale**2 * PIECE_ROWS * longest * 4 * spec.colors + _ADDING_BYTES
        alive = min(count, threads) * (stream_bytes(spec, columns) + piece)
        return alive + spec.scale**2 * width * min(tiling.rows, height) * pixel_bytes

    def rank(tiling: Tiling) -> tuple[int, float]:
        return max(nbytes(tiling) - budget, 0), _cost(tiling, spec, height, width, threads)

    known = [Tiling(tile, tile, tile)] if tile else _candidates(height, width, threads)
    chosen = min((tiling for tiling in known if not tiling.side_by_side), key=rank)
    return chosen, nbytes(chosen)


def _candidates(height: int, width: int, threads: int) -> Iterator[Tiling]:
    counts = {count << i for count in (1, threads) for i in range(16)}
    least = -(-width // _MAX_COLUMNS)
    counts |= {-(-least // threads) * threads, least}
    for count in sorted(counts):
        if not least <= count <= max(width // 32, least):
            continue
        columns = -(-width // count)
        for step in _STEPS:
            if step < height:
                yield Tiling(height, columns, step)
        for most in _BAND_ROWS:
            rows = -(-height // -(-height // most))  # bands of about the same height
            yield Tiling(rows, columns, rows)


def _cost(tiling: Tiling, spec: NetworkSpec, height: int, width: int, threads: int) -> float:
    """Time relative to that of the bare picture on all threads."""
    count = -(-width // tiling.columns)
    waves = -(-count // threads)
    columns = min(-(-width // count) + 2 * spec.receptive_field, width)
    cost = columns * waves * threads / width
    if tiling.rows < height:
        cost *= 1 + spec.n_convs / tiling.rows  # the halo above and below shrinks by a row a layer
    if count == 1:
        return cost  # of steps that wait for no other tile the first is best, whose piece needs no fresh memory
    return cost * (1 + 0.2 / tiling.step)  # starting a task
