"""Where progress bars are drawn."""

from __future__ import annotations

import sys
from typing import Any, TextIO, cast

from rich.console import Console

from scales_cli.cli.streams import abandon


class BarConsole(Console):
    """Standard error, a terminal, for what is drawn anew again and again.

    The cursor stays: a hidden one would be missing in the shell when the program is stopped by Ctrl-Z, or killed.
    """

    def __init__(self) -> None:
        super().__init__(file=cast(TextIO, _Terminal(sys.stderr)))

    def show_cursor(self, show: bool = True) -> bool:
        return False


class _Terminal:
    """A terminal that may be closed while the work goes on, as after `disown`. What is written then is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            abandon(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            abandon(self._stream)
