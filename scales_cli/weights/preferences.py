"""What a user has set for good: the model that is taken if none is named."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from scales_cli.errors import UsageError
from scales_cli.system.files import read_small_text, replacing

VARIABLE = "SCALES_CONFIG"
DEFAULT_MODEL = "auto"


def default_model() -> str:
    """Raises `UsageError` if there are settings that cannot be read."""
    try:
        path = _path()
        if not _is_there(path):
            return DEFAULT_MODEL
        _check_regular(path)
        settings = tomllib.loads(read_small_text(path))
    except RuntimeError:  # there is no home
        return DEFAULT_MODEL
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}", f"mend or remove it, or set {VARIABLE}") from error
    model = settings.get("model", DEFAULT_MODEL)
    if set(settings) - {"model"} or not isinstance(model, str):
        raise UsageError(f"{path}: holds other things than a model's name", 'write a line such as model = "base"')
    return model


def set_default_model(name: str) -> None:
    """Raises `UsageError` or `OutputError` if the settings cannot be written."""
    try:
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"there is no folder for settings: {error}", f"set {VARIABLE} to a file") from error
    if path.exists():
        _check_regular(path)
    with replacing(path, overwrite=True) as stream:
        stream.write(f'model = "{name}"\n'.encode())


def _is_there(path: Path) -> bool:
    """Raises `PermissionError` for a file that was named; in a home that may not be looked into, there are none."""
    try:
        return path.exists()
    except PermissionError:
        if os.environ.get(VARIABLE):
            raise
        return False


def _check_regular(path: Path) -> None:
    if not path.is_file():  # but a folder, or a device that never ends
        raise UsageError(f"{path}: is not a file of settings", f"set {VARIABLE} to another path")


def _path() -> Path:
    """`SCALES_CONFIG`, or a file in the system's folder for settings. Raises `RuntimeError` if there is no home."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("scales", appauthor=False), "config.toml")
