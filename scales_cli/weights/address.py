"""Addresses of models that are not in the registry: of the web with a hash, or on the Hugging Face hub.

https://example.org/mine-x4.safetensors#sha256=0123...    hexadecimal, 64 digits
hf:owner/repository@revision/folder/mine-x4.safetensors   a tag, branch or commit
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from scales_cli.errors import TransferError, UsageError, WeightsError
from scales_cli.storage.refusals import without_queries
from scales_cli.storage.web import check_url
from scales_cli.system.files import using_temporary_folder
from scales_cli.system.progress import Progress
from scales_cli.weights.registry import SUFFIX
from scales_cli.weights.transfer import copy_source

_WEB = re.compile(r"(?P<url>[a-z]+://[^#]+)#sha256=(?P<sha256>[0-9a-fA-F]{64})")
_HUB = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[\w.-]+)/(?P<file>(?:\w[\w.-]*/)*\w[\w.-]*)")


@dataclass(frozen=True)
class WebAddress:
    url: str
    sha256: str

    @property
    def name(self) -> str:
        return _model_name(self.url.split("?")[0])

    @classmethod
    def parse(cls, text: str) -> Self:
        matched = _WEB.fullmatch(text)
        if matched is None:
            shown = without_queries(text)
            raise UsageError(f"{shown}: has no hash", "append #sha256= and the 64 digits that its publisher states")
        try:
            check_url(matched["url"])
        except TransferError as error:
            raise WeightsError(without_queries(error.message), error.hint) from error
        return cls(matched["url"], matched["sha256"].lower())


@dataclass(frozen=True)
class HubAddress:
    repository: str
    revision: str
    file: str

    @property
    def name(self) -> str:
        return _model_name(self.file)

    @classmethod
    def parse(cls, text: str) -> Self:
        matched = _HUB.fullmatch(text)
        if matched is None:
            raise UsageError(f"{text}: is no address on the hub", "it looks like hf:owner/repository@revision/file")
        return cls(**matched.groupdict())

    @contextmanager
    def download(self, progress: Progress | None = None) -> Iterator[tuple[Path, str]]:
        """The file, for the time of the context, and its hash. Raises `WeightsError`."""
        try:
            import huggingface_hub as hub
            from huggingface_hub.constants import HF_HUB_OFFLINE
        except ImportError as error:
            raise WeightsError("hf: needs huggingface_hub", "pip install 'scales-cli[hub]'") from error
        if HF_HUB_OFFLINE:
            raise WeightsError(f"HF_HUB_OFFLINE forbids to fetch {self.name}", "`scales models import` adds a file")
        url = hub.hf_hub_url(self.repository, self.file, revision=self.revision)
        token = hub.get_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with using_temporary_folder(), tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            with path.open("wb") as stream:
                sha256 = copy_source(url, stream, progress=progress, headers=headers)
            yield path, sha256


def parse_address(text: str) -> WebAddress | HubAddress | None:
    """None for what looks like a name."""
    if text.startswith("hf:"):
        return HubAddress.parse(text)
    return WebAddress.parse(text) if "://" in text else None


def _model_name(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(SUFFIX)
