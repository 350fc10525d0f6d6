"""Frozen dataclasses from tables of names and values, as TOML and JSON files hold them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from scales_cli.errors import UsageError


def known_fields(cls: type, values: Any) -> dict[str, Any]:
    """`values`, all of which are of fields of `cls`; raises `UsageError` for what is no table of those."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{cls.__name__} must be a table of names and values", "see scales_cli/training/README.md")
    names = {item.name for item in dataclasses.fields(cls)}
    if unknown := sorted(set(values) - names):
        raise UsageError(f"unknown settings: {', '.join(unknown)}", f"known are {', '.join(sorted(names))}")
    return dict(values)


def check_types(record: Any) -> None:
    """Raises `UsageError` if a field whose default is a number or text holds something else."""
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
    for item in dataclasses.fields(record):
        kind, value = type(item.default), getattr(record, item.name)
        accepted = (int, float) if kind is float else (kind,)
        if kind in kinds and (type(value) not in accepted or (accepted == (int, float) and not math.isfinite(value))):
            raise UsageError(f"{item.name} is {value!r}", f"give {kinds[kind]}")
