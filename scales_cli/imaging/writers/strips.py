"""What a format's writer is to `RowWriter`."""

from __future__ import annotations

from typing import Any, Protocol

from scales_cli.imaging.picture import Layout, Pixels

_STRIP_BYTES = 2**18  # fits the second-level cache, which the filters' speed needs; larger ones save 0.1 % of the file


class StripWriter(Protocol):
    """Begins a file when it is made; the layout it is made for is one the format can hold (see `fit_to_format`).

    `encode` is called for each strip on any thread, `append` with what it gave, in order.
    """

    strip_rows: int

    def encode(self, rows: Pixels, above: Pixels | None) -> Any:
        """`above` is the row over these [n, W, C], None for the first strip."""

    def append(self, strip: Any) -> None: ...

    def finish(self) -> None: ...


def rows_of_strip(layout: Layout) -> int:
    """The height of a strip, for formats that leave it to the writer."""
    return max(1, _STRIP_BYTES // layout.row_bytes)
