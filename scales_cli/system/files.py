"""Files that appear whole or not at all, files without a name, and folders."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from scales_cli.errors import OutputError, OutputExistsError

ABANDONED_SECONDS = 24 * 3600  # nothing is longer in the writing


@contextmanager
def replacing(target: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A stream to a temporary file beside `target` that takes its place at the end, or vanishes on any exception.

    Without `overwrite` a file that came to be there meanwhile is left as it is, which is an `OutputError`.
    """
    temporary = target.parent / f".scales-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(temporary, flags, 0o666), "w+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            _publish(temporary, target, overwrite)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written: {error.strerror or error}", "check the folder") from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    if not overwrite:
        refusal = OutputExistsError(target)
        try:
            os.link(temporary, target)  # which, unlike renaming, fails where there is a file
        except FileExistsError as error:
            raise refusal from error
        except OSError as error:  # a file system without hard links
            if os.path.lexists(target):
                raise refusal from error
        else:
            temporary.unlink()
            return
    temporary.replace(target)


def remove_temporary_files(folder: Path, pid: int) -> None:
    """What a process that was killed while it wrote into `folder` has left there."""
    for path in folder.glob(f".scales-{pid}-*.tmp"):
        with suppress(OSError):
            path.unlink()


def remove_abandoned_files(folder: Path) -> None:
    """What runs that were killed with all their processes have left there: not written to for a day."""
    for path in folder.glob(".scales-*-*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()


@contextmanager
def temporary_file() -> Iterator[BinaryIO]:
    """A file without a name, which is gone when it is closed."""
    with using_temporary_folder(), tempfile.TemporaryFile() as stream:
        yield stream


@contextmanager
def using_temporary_folder() -> Iterator[None]:
    """What goes wrong with temporary files is an `OutputError` that names their folder."""
    try:
        yield
    except BrokenPipeError:  # of whom the file was for
        raise
    except OSError as error:
        raise OutputError(
            f"{tempfile.gettempdir()}: cannot be written: {error.strerror or error}",
            "set TMPDIR to a folder with space",
        ) from error
