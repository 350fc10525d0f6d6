"""Standard streams that can take nothing more."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


def abandon(stream: TextIO) -> None:
    """Lets the interpreter's own flush at exit succeed, which would change the exit code otherwise."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
