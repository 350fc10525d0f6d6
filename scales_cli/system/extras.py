"""Libraries that come with an extra of the package."""

from __future__ import annotations

import importlib.util

from scales_cli.errors import ScalesError


def install_hint(extra: str) -> str:
    return f'pip install "scales-cli[{extra}]"'


def require(library: str, extra: str, message: str) -> None:
    """Raises `ScalesError` with this message if a library is not installed, and says which extra brings it."""
    if importlib.util.find_spec(library) is None:
        raise ScalesError(message, f"install it with: {install_hint(extra)}")
