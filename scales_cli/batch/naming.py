"""Which outputs the pictures of a batch are written to, if some would share one."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from scales_cli.batch.history import History
from scales_cli.batch.record_name import place_digest
from scales_cli.batch.request import BatchRequest
from scales_cli.batch.selection import Item
from scales_cli.errors import UsageError
from scales_cli.pipeline.targets import Claims, Clash, automatic_name, clash_error, name_template
from scales_cli.storage.address import Address
from scales_cli.storage.locations import Location

STOP, NUMBER = "stop", "number"  # what there is to do about inputs of one output; else all but one are left out

_MOST_KEY_BYTES = 200  # of a name: longer ones may be cut to be a file's


class Naming:
    """Tells pictures that cannot share an output from those that may, and gives each of these its own, or none.

    `items` are those of the request's part. Raises `UsageError` if parts and numbers in names are asked for.
    """

    def __init__(self, request: BatchRequest, history: History, items: Sequence[Item]) -> None:
        self._request, self._history = request, history
        self._folders: dict[str, Location] = {}
        self._real: dict[Location, str] = {}
        self._holding: dict[Location, bool] = {}
        self.items = self._shard(items, *request.shard) if request.shard else items
        self._claims = Claims(item.source for item in self.items)
        self._sources = {item.source.parent for item in self.items if isinstance(item.source, Address)}
        self._numbers: dict[Location, int] = {}  # the last one that was given, of outputs that inputs share

    def doubtful(self, items: Iterable[Item]) -> list[Item]:
        """Those whose output may be another's, or be an input: all that is not known of it is the extension."""
        if self._request.on_clash == NUMBER:  # as numbered names may be others' names
            return list(items)
        keys = {item: self._key(item) for item in self.items}
        counts = Counter(keys.values())
        return [item for item in items if counts[keys[item]] > 1 or self._holds_inputs(self.folder(item))]

    def claim(self, name: str, target: Location) -> None:
        """Keeps an output for the input that it was written for before."""
        self._claims.claim(name, target)

    def assign(self, targets: Sequence[tuple[Item, Location]]) -> dict[Item, Location | None]:
        """The output of each input, by the output it would have alone; None if another has that.

        Raises `OutputError` if an output is an input, or if inputs share one and nothing is to be done about it.
        """
        assigned: dict[Item, Location | None] = dict.fromkeys(item for item, _ in targets)
        clashes: list[Clash] = []
        if self._request.on_clash == NUMBER:  # those first that had an output before
            targets = sorted(targets, key=lambda wish: self._previous(*wish) is None)
        for item, target in targets:
            wanted = self._previous(item, target) or target
            other = self._claims.claim(item.name, wanted)
            is_taken = other is not None
            while is_taken and self._request.on_clash == NUMBER:
                number = self._numbers[target] = self._numbers.get(target, 1) + 1
                wanted = target.parent / f"{PurePath(target.name).stem}-{number}{target.suffix}"
                other = self._claims.claim(item.name, wanted)
                is_taken = other is not None or self._is_anothers(item, wanted)
            if other is None:
                assigned[item] = wanted
            else:
                clashes.append((other, item.name, target))
        if clashes and self._request.on_clash == STOP:
            enlargement = self._request.enlargement
            template = name_template(enlargement.sizing.label, enlargement.output)
            raise clash_error(clashes, "choose --on-clash skip or number", template)
        return assigned

    def _is_anothers(self, item: Item, target: Location) -> bool:
        """Whether there is a file that is not to be replaced."""
        return self._history.is_there(target) and not self._history.may_replace(item, target)

    def folder(self, item: Item) -> Location:
        """Where its output goes."""
        if item.above not in self._folders:
            self._folders[item.above] = self._request.output / item.place.parent
        return self._folders[item.above]

    def _previous(self, item: Item, target: Location) -> Location | None:
        """A numbered output that an input had before."""
        if self._request.on_clash != NUMBER or (previous := self._history.output_of(item)) is None:
            return None
        numbered = re.fullmatch(
            rf"{re.escape(PurePath(target.name).stem)}(-\d+)?{re.escape(target.suffix)}", previous.name
        )
        return previous if numbered and previous.parent == target.parent else None

    def _shard(self, items: Sequence[Item], index: int, count: int) -> list[Item]:
        """The part `index` of 1..count, by names: the same on every machine, whatever came since the first one began.

        Those that could share an output are in one part.
        """
        if self._request.on_clash == NUMBER:  # which may be others' names
            raise UsageError("a part does not know the numbers of the others", "choose --on-clash skip with --shard")
        groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
        for item in items:
            groups[self._key(item)].append(item)

        def part(name: str, group: list[Item]) -> int:
            folder = min(item.place.parent.as_posix().casefold() for item in group)
            return int(place_digest(f"{folder}/{name}"), 16) % count + 1

        return [item for (_, name), group in groups.items() if part(name, group) == index for item in group]

    def _key(self, item: Item) -> tuple[str, str]:
        """What inputs of one output share, whatever their formats, on whatever file system."""
        enlargement, folder = self._request.enlargement, self.folder(item)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder) if isinstance(folder, Path) else str(folder)
        name = automatic_name(
            item.source.name, enlargement.sizing.label, enlargement.output, enlargement.family.name, suffix=""
        )
        folded = unicodedata.normalize("NFC", name.casefold())
        return self._real[folder].casefold(), os.fsencode(folded)[:_MOST_KEY_BYTES].decode(errors="surrogateescape")

    def _holds_inputs(self, folder: Location) -> bool:
        """Whether a folder of outputs has inputs in it, which links may bring about."""
        if isinstance(folder, Address):
            return folder in self._sources
        if folder not in self._holding:
            try:
                with os.scandir(folder) as entries:
                    self._holding[folder] = any(self._claims.input_at(Path(entry.path)) for entry in entries)
            except OSError:
                self._holding[folder] = False
        return self._holding[folder]
