"""What lies in folders of a storage, by their listings: one request for a thousand objects, none for each."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field

from scales_cli.storage.address import Address
from scales_cli.storage.objects import FileStatus, entries_of, status_of


@dataclass
class Contents:
    """Files and folders in a folder, by their names."""

    files: dict[str, FileStatus] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)


class Listing:
    """The folders below `root`, each as it was when it was first asked about. Errors are `OSError`s."""

    def __init__(self, root: Address) -> None:
        self.root = root
        self._known: dict[Address, Contents] = {}

    def contents(self, folder: Address) -> Contents:
        """Nothing, if there is no such folder."""
        if folder not in self._known:
            found = Contents()
            if self._exists(folder):
                for below, status in entries_of(folder):
                    if status.is_folder:
                        found.folders.add(below.name)
                    else:
                        found.files[below.name] = status
            self._known[folder] = found
        return self._known[folder]

    def status_of(self, address: Address) -> FileStatus | None:
        """None if there is nothing."""
        around = self.contents(address.parent)
        found = around.files.get(address.name)
        return FileStatus(stat.S_IFDIR) if found is None and address.name in around.folders else found

    def _exists(self, folder: Address) -> bool:
        """By the listing of the folder above it, as asking for one that is missing may list that each time."""
        if folder != self.root:
            return folder.name in self.contents(folder.parent).folders
        try:
            return status_of(folder).is_folder
        except FileNotFoundError:
            return False
