"""The models this program knows by name: `registry.toml` pins what each of their files is and holds.

`base_url` is the folder of the web that `scales models publish` was uploaded to; the empty one stands for none.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import WeightsError
from scales_cli.weights.packed import load_packed

SUFFIX = ".safetensors"
AUTO = "auto"  # the name of the choice between a model for clean pictures and one for all others
CLEAN = "base"
MENDING = ("photo", "photo-tiny")  # the first of these that there is at a scale
_NAME = re.compile(r"scales-(?P<size>[a-z0-9]+(?:-[a-z0-9]+)*)-x(?P<scale>\d)")


@dataclass(frozen=True)
class WeightEntry:
    """A published model; `sha256` is the lower-case hexadecimal hash of its packed file, `psnr` its card's, in dB.

    `auto_from` is the least strength of a picture that the model `auto` leaves to this one, None if it never does.
    """

    name: str
    file: str
    size: int
    sha256: str
    spec: NetworkSpec
    licence: str
    data_licence: str
    psnr: Mapping[str, float] = field(default_factory=dict)
    auto_from: float | None = None

    @property
    def scale(self) -> int:
        return self.spec.scale

    @property
    def family(self) -> str:
        """What the models of one size and all scales share: `tiny` of `scales-tiny-x4`."""
        return _matched(self.name)["size"]

    def to_toml(self) -> str:
        values = dataclasses.asdict(self) | {"spec": self.spec.to_dict(), "psnr": dict(self.psnr)}
        if self.auto_from is None:
            del values["auto_from"]
        return "[[model]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WeightEntry:
        return cls(**{**values, "spec": NetworkSpec.from_dict(values["spec"])})

    def check(self, path: Path) -> None:
        """Raises `WeightsError` if this is not the model's file."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read: {error.strerror}", "install scales-cli again") from error
        if len(data) != self.size or hashlib.sha256(data).hexdigest() != self.sha256:
            raise WeightsError(f"{path} is damaged: its hash is not the pinned one", "install scales-cli again")


@dataclass(frozen=True)
class Registry:
    base_url: str
    entries: tuple[WeightEntry, ...]

    def clean(self) -> list[WeightEntry]:
        """The models, of different scales, that `auto` takes for clean pictures."""
        return [entry for entry in self.entries if entry.family == CLEAN]

    def mending(self) -> list[WeightEntry]:
        """Those that it takes for all other pictures, of the scales that there are any of."""
        best: dict[int, WeightEntry] = {}
        for family in MENDING:
            for entry in self.entries:
                if entry.family == family and entry.auto_from is not None:
                    best.setdefault(entry.scale, entry)
        return list(best.values())

    def auto_from(self, entry: WeightEntry) -> float | None:
        """The least strength of pictures that `auto` leaves to a model: 0 of the clean ones, None if it has none."""
        if entry in self.clean():
            return 0.0
        return entry.auto_from if entry in self.mending() else None

    def to_toml(self) -> str:
        head = f"# Written by `scales models publish`.\n\nbase_url = {_toml(self.base_url)}\n"
        return "\n".join([head, *(entry.to_toml() for entry in self.entries)])

    def with_entries(self, entries: Iterable[WeightEntry]) -> Registry:
        """The registry with these entries added; one of a known name replaces what has it, but for its `auto_from`."""
        named = {entry.name: entry for entry in self.entries}
        for entry in entries:
            known = named.get(entry.name, entry)
            named[entry.name] = entry if entry.auto_from else dataclasses.replace(entry, auto_from=known.auto_from)
        return Registry(self.base_url, tuple(named[name] for name in sorted(named)))


def load_registry() -> Registry:
    """All known models in the order of `registry.toml`."""
    values = tomllib.loads(resources.files("scales_cli.weights").joinpath("registry.toml").read_text("utf-8"))
    return Registry(values["base_url"], tuple(WeightEntry.from_dict(entry) for entry in values.get("model", [])))


def entry_for(path: Path, data_licence: str) -> WeightEntry:
    """The entry that pins a packed file as it is, named after its file: `scales-tiny-x4.safetensors`.

    Raises `WeightsError` if the name, which says a scale, or the file is none of a model.
    """
    matched, weights = _matched(path.stem), load_packed(path)
    if int(matched["scale"]) != weights.spec.scale:
        raise WeightsError(f"{path}: this model enlarges by {weights.spec.scale}", "name its file after its scale")
    data = path.read_bytes()
    licence = str(weights.card.get("licence", "unknown"))
    sha256 = hashlib.sha256(data).hexdigest()
    return WeightEntry(path.stem, path.name, len(data), sha256, weights.spec, licence, data_licence, weights.psnr())


def _matched(name: str) -> re.Match[str]:
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise WeightsError(f"{name!r} is not a published model's name", "names look like scales-tiny-x4")
    return matched


def _toml(value: Any) -> str:
    """A value on one line; numbers are written as in JSON, and so are strings, but for what TOML has no place for."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(item)}' for key, item in value.items())} }}" if value else "{}"
    if isinstance(value, str):
        value = value.encode("utf-8", "replace").decode()  # halves of pairs
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else _toml(name)
