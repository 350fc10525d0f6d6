"""The log of a run: a line of CSV for each validation."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scales_cli.errors import OutputError, hint_of
from scales_cli.system.files import whole_file

_HEADER = ["step", "seconds", "learning_rate", "loss", "valid_psnr"]


class Log:
    """Raises `OutputError` if the file cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def cut(self, step: int) -> None:
        """Leaves out what is after a step, and torn lines.

        A run that was killed logged them after its last checkpoint, and they come again.
        """
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = [row for row in csv.reader(file) if len(row) == len(_HEADER) and row[0].isdecimal()]
        self._write([row for row in rows if int(row[0]) <= step])

    def add(self, step: int, seconds: float, learning_rate: float, loss: float, psnr: float) -> None:
        """`loss` is in grey levels of 255, `psnr` in dB."""
        if not self._path.exists():
            self._write([])
        with self._writing(), self._path.open("a", newline="") as file:
            csv.writer(file).writerow([step, f"{seconds:.1f}", f"{learning_rate:.3g}", f"{loss:.4f}", f"{psnr:.4f}"])

    def _write(self, rows: list[list[str]]) -> None:
        with self._writing(), whole_file(self._path, overwrite=True) as stream:
            text = io.StringIO(newline="")
            csv.writer(text).writerows([_HEADER, *rows])
            stream.write(text.getvalue().encode())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"{self._path}: cannot be written: {error.strerror or error}"
            raise OutputError(message, hint_of(error, "free some space, then --resume")) from error
