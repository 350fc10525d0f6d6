"""Files here or elsewhere, asked for the same things."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from scales_cli.storage import objects
from scales_cli.storage.address import Address
from scales_cli.storage.objects import FileStatus

Location = Path | Address


@lru_cache(64)  # a batch asks for the same folders again and again
def locate(name: str) -> Location:
    """Where a name points to. Raises `UsageError` for an address that cannot be meant."""
    return Address.parse(name) or Path(name)


def status_of(location: Location) -> FileStatus:
    """Size, time and kind. Raises `OSError`; `FileNotFoundError` if there is nothing, not even a folder."""
    if isinstance(location, Address):
        return objects.status_of(location)
    found = location.stat()
    return FileStatus(found.st_mode, found.st_size, found.st_mtime_ns)


def is_there(location: Location) -> bool:
    """Whether there is anything, be it a link to nothing. Raises `OSError` if a storage does not tell."""
    if isinstance(location, Path):
        return os.path.lexists(location)
    try:
        objects.status_of(location)
    except FileNotFoundError:
        return False
    return True


def is_folder(location: Location) -> bool:
    """Raises `OSError` if a storage does not tell."""
    if isinstance(location, Path):
        return location.is_dir()
    try:
        return objects.status_of(location).is_folder
    except FileNotFoundError:
        return False
