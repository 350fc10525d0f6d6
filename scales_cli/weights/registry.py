"""The models this program knows by name: `registry.toml` pins each file's size and hash."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from scales_cli.errors import WeightsError

_NAME = re.compile(r"scales-(?P<size>[a-z0-9]+)-x(?P<scale>\d)")


@dataclass(frozen=True)
class WeightEntry:
    """A named model; `sha256` is the lower-case hexadecimal hash of its packed file."""

    name: str
    file: str
    size: int
    sha256: str

    @property
    def scale(self) -> int:
        return int(_matched(self.name)["scale"])

    @property
    def family(self) -> str:
        """What the models of one size and all scales share: `tiny` of `scales-tiny-x4`."""
        return _matched(self.name)["size"]

    def to_toml(self) -> str:
        return f'[[model]]\nname = "{self.name}"\nfile = "{self.file}"\nsize = {self.size}\nsha256 = "{self.sha256}"\n'

    def check(self, data: bytes) -> None:
        """Raises `WeightsError` where `data` is not this model's file."""
        if len(data) != self.size or hashlib.sha256(data).hexdigest() != self.sha256:
            raise WeightsError(f"{self.file} is damaged: its hash is not the pinned one", "install scales-cli again")


def entry_for(path: Path) -> WeightEntry:
    """The entry that pins a packed file as it is, named after its file: `scales-tiny-x4.safetensors`."""
    _matched(path.stem)
    data = path.read_bytes()
    return WeightEntry(path.stem, path.name, len(data), hashlib.sha256(data).hexdigest())


def registered() -> tuple[WeightEntry, ...]:
    """All known models in the order of `registry.toml`."""
    text = resources.files("scales_cli.weights").joinpath("registry.toml").read_text("utf-8")
    return tuple(WeightEntry(**entry) for entry in tomllib.loads(text).get("model", []))


def find_entry(name: str, scale: int) -> WeightEntry:
    """The entry of a full name (`scales-tiny-x4`) or of a size at `scale` (`tiny`)."""
    entries = registered()
    for entry in entries:
        if name == entry.name or (name == entry.family and entry.scale == scale):
            return entry
    import difflib

    if scales := [str(entry.scale) for entry in entries if entry.family == name]:
        raise WeightsError(f"model {name!r} does not enlarge by {scale}", f"it does by {', '.join(scales)}")
    names = [entry.name for entry in entries] + sorted({entry.family for entry in entries})
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    known = f"known are {', '.join(names)}" if names else "give the path of a .safetensors file"
    raise WeightsError(f"no model {name!r} for x{scale}", f"did you mean {nearest[0]}?" if nearest else known)


def _matched(name: str) -> re.Match[str]:
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise WeightsError(f"{name!r} is not a model's name", "names look like scales-tiny-x4")
    return matched
