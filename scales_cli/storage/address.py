"""Addresses of files elsewhere: `s3://bucket/folder/photo.jpg`.

What stands behind the scheme is taken as it is: keys may hold spaces, %, #, ? and +. Only of addresses of the web, the
part behind ? is left out wherever an address is shown, for it may be a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath

from scales_cli.errors import UsageError

# The library that brings a storage to fsspec, and how it is installed.
STORAGES = {
    "s3": ("s3fs", 'pip install "scales-cli[s3]"'),
    "gs": ("gcsfs", "pip install gcsfs"),
    "az": ("adlfs", "pip install adlfs"),
    "abfs": ("adlfs", "pip install adlfs"),
    "memory": ("fsspec", "pip install fsspec"),
}
WEB = ("http", "https")

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True, order=True, repr=False, slots=True)
class Address:
    """`path` has no slash at its end; `query` is empty but on the web. What is here, is as of `pathlib`."""

    scheme: str
    path: str
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> Address | None:
        """None for what is no address, but the path of a file. Raises `UsageError` for one that cannot be meant."""
        matched = _URL.fullmatch(text)
        if matched is None:
            return None
        scheme, path = matched["scheme"].lower(), matched["path"]
        query = ""
        if scheme in WEB:
            path, mark, query = path.partition("?")
            query = mark + query
        elif scheme not in STORAGES:
            known = ", ".join(f"{name}://" for name in (*STORAGES, *WEB) if name != "memory")
            others = f"`curl {scheme}://... | scales upscale -`"
            raise UsageError(f"{scheme}:// is no storage that is known", f"known are {known}; else pipe it: {others}")
        host = path.split("/")[0]
        if "@" in host and (scheme != "abfs" or ":" in host):
            raise UsageError(
                f"an address of {scheme}:// holds a password", "leave it to the environment or the storage's settings"
            )
        if not path.strip("/"):
            raise UsageError(f"{scheme}:// names no file", "name a bucket and what is in it")
        return cls(scheme, path.rstrip("/"), query)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}" + ("?..." if self.query else "")

    __fspath__ = __repr__ = __str__

    @property
    def url(self) -> str:
        """The address with all that it holds."""
        return f"{self.scheme}://{self.path}{self.query}"

    @property
    def bucket(self) -> Address:
        return Address(self.scheme, self.path.split("/")[0])

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Address:
        return replace(self, path=self.path.rpartition("/")[0] or self.path, query="")

    def __truediv__(self, other: str | PurePath) -> Address:
        below = other if isinstance(other, str) else other.as_posix()
        return self if below in ("", ".") else replace(self, path=f"{self.path}/{below}")

    def relative_to(self, folder: Address) -> PurePosixPath:
        """Raises `ValueError` for what is not below it."""
        if (self.scheme, self.path[: len(folder.path) + 1]) != (folder.scheme, f"{folder.path}/"):
            raise ValueError(f"{self} is not below {folder}")
        return PurePosixPath(self.path[len(folder.path) + 1 :])
