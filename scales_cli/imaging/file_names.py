"""Names of the files that are written, by a template of the user's."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from pathlib import PurePath

from scales_cli.errors import UsageError

FIELDS = ("stem", "from", "scale", "model", "ext")
_MOST_BYTES = 255  # what file systems allow


@dataclass(frozen=True)
class NameTemplate:
    """A text such as "{stem}_{model}{ext}"; `FIELDS` are what stands in braces. Raises `UsageError` for any other.

    `stem` is the input's name without its extension, which is `from`, `scale` what it is enlarged by ("4", or "w1920"
    for a width), `ext` the extension of the result's format with its dot.
    """

    text: str

    def __post_init__(self) -> None:
        try:
            parts = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise UsageError(
                f"{self.text!r} is no template of a name: {error}", 'write it like "{stem}{ext}"'
            ) from error
        for _, field, form, conversion in parts:
            if field is not None and (field not in FIELDS or form or conversion):
                known = ", ".join(f"{{{name}}}" for name in FIELDS)
                written = field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
                raise UsageError(f"{{{written}}} is nothing that a name is made of", f"use {known}")
        if "/" in self.text or os.sep in self.text or "\0" in self.text:
            raise UsageError(f"{self.text!r} is no name of a file", "leave folders to -o")
        if not self.text.endswith("{ext}"):
            raise UsageError(f"{self.text!r} does not end with {{ext}}, the format's extension", "add it")

    def name(self, source: str, scale: str, model: str, ext: str) -> str:
        """The name of the result of a file `source`; the stem is cut if it would be too long."""
        path = PurePath(source)
        stem, suffix = path.stem, path.suffix
        while True:
            name = self.text.format_map({"stem": stem, "from": suffix[1:], "scale": scale, "model": model, "ext": ext})
            if not stem or len(os.fsencode(name)) <= _MOST_BYTES:
                return name
            stem = stem[:-1]
