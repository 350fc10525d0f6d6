"""Libraries that come with an extra of the package."""

from __future__ import annotations

import functools
import importlib.util

from scales_cli.errors import ScalesError


def install_hint(extra: str) -> str:
    return f'pip install "scales-cli[{extra}]"'


@functools.cache
def is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def require(library: str, extra: str, message: str) -> None:
    """Raises `ScalesError` with this message if a library is not installed, and says which extra brings it."""
    if not is_installed(library):
        raise ScalesError(message, f"install it with: {install_hint(extra)}")
