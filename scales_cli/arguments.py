"""Of which kind the arguments are that programs in Python give: what the types of signatures say, at run time.

Whether a value of the right kind can be meant is for those to say who use it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from scales_cli.errors import UsageError

Check = Callable[[Any], bool]


def check_kinds(**arguments: Any) -> None:
    """Raises `UsageError` for the first argument that is not of the kind which its name stands for."""
    for name, value in arguments.items():
        is_right, expected = _KINDS[name]
        if not is_right(value):
            raise UsageError(f"{name} is {value!r}", f"give {expected}")


def check_whole(name: str, value: Any, least: int, most: int | None = None, *, required: bool = False) -> None:
    """Raises `UsageError` for a value that is no such whole number, nor None if it is not `required`."""
    if value is None and not required:
        return
    if isinstance(value, Integral) and least <= int(value) and (most is None or int(value) <= most):
        return
    raise UsageError(f"{name} is {value!r}", f"give a whole number from {least}" + (f" to {most}" if most else " on"))


def plain(number: Any) -> Any:
    """A number as one of Python's own: those of NumPy overflow, and fractions have no format. All else as it is."""
    if isinstance(number, Integral):
        return int(number)
    return float(number) if isinstance(number, Real) else number


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_path(value: Any) -> bool:
    """Whether it names something: an empty name would be the working folder's."""
    return isinstance(value, (str, os.PathLike)) and isinstance(name := os.fspath(value), str) and name != ""


def _is_source(value: Any) -> bool:
    return isinstance(value, bytes) or _is_path(value) or _is_binary_file(value, "readable", "read", "seekable")


def _is_target(value: Any) -> bool:
    return _is_path(value) or _is_binary_file(value, "writable", "write")


def _is_binary_file(value: Any, way: str, *methods: str) -> bool:
    """Whether it is open this `way` and has these; all files of text, and what wraps them, have an encoding."""
    if not all(hasattr(value, method) for method in methods) or getattr(value, "closed", False):
        return False
    return not hasattr(value, "encoding") and (not hasattr(value, way) or getattr(value, way)())


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and _is_number(value)


def _is_percentage(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 100


def _is_color(value: Any) -> bool:
    is_rgb = isinstance(value, (tuple, list)) and len(value) == 3 and all(map(_is_whole, value))
    return _is_text(value) or (is_rgb and all(0 <= part <= 255 for part in value))


def _is_flag(value: Any) -> bool:
    from numpy import bool_  # in here, for what checks numbers alone does without NumPy

    return isinstance(value, (bool, bool_))


def _or_none(is_right: Check) -> Check:
    return lambda value: value is None or is_right(value)


_FLAG = _is_flag, "True or False"
_KINDS: dict[str, tuple[Check, str]] = {
    "picture": (_is_path, "a path, the bytes of a file, an array or an image of Pillow"),
    "source": (_is_source, "a path, the bytes of a file, or a file that is open for reading in binary"),
    "target": (_or_none(_is_target), "a path, or a file that is open for writing in binary"),
    "model": (_or_none(_is_path), "a model's name or the path of its file"),
    "scale": (_or_none(_is_number), "a number such as 2"),
    "strength": (_or_none(_is_number), "a number from 0 to 1"),
    "denoise": (_or_none(_is_percentage), "a number from 0 to 100, or None for what the picture shows"),
    "format": (_or_none(_is_text), "an extension such as 'png'"),
    "quality": (_or_none(_is_whole), "a whole number from 1 to 100"),
    "lossless": _FLAG,
    "background": (_or_none(_is_color), "a colour such as 'white', '#ffeedd' or (255, 238, 221)"),
    "name": (_or_none(_is_text), "a template such as '{stem}_large{ext}'"),
    "keep_times": _FLAG,
    "salvage": _FLAG,
    "overwrite": _FLAG,
    "folder": (_is_path, "the path of a folder of HR pictures"),
    "upscale": (callable, "what load gave, or a function"),
    "progress": (_or_none(callable), "a function that takes the done fraction, 0 to 1"),
}
