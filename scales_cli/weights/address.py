"""Addresses of models that are not in the registry: of the web with a hash, or on the Hugging Face hub.

https://example.org/mine-x4.safetensors#sha256=0123...    hexadecimal, 64 digits
hf:owner/repository@revision/folder/mine-x4.safetensors   a tag, branch or commit
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from scales_cli.errors import UsageError, WeightsError
from scales_cli.weights.packed import MAX_FILE_BYTES
from scales_cli.weights.registry import SUFFIX
from scales_cli.weights.transfer import check_url

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
            raise UsageError(f"{text}: has no hash", "append #sha256= and the 64 digits that its publisher states")
        check_url(matched["url"])
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
    def download(self) -> Iterator[tuple[Path, str]]:
        """The file, for the time of the context, and its hash. Raises `WeightsError`."""
        try:
            import huggingface_hub as hub
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ImportError as error:
            raise WeightsError("hf: needs huggingface_hub", "pip install 'scales-cli[hub]'") from error
        disable_progress_bars()
        with tempfile.TemporaryDirectory() as folder:
            try:
                url = hub.hf_hub_url(self.repository, self.file, revision=self.revision)
                size = hub.get_hf_file_metadata(url).size
                if size is not None and size <= MAX_FILE_BYTES:
                    hub.hf_hub_download(self.repository, self.file, revision=self.revision, local_dir=folder)
            except Exception as error:  # its own, those of the HTTP library it uses, and the system's
                reason = " ".join(str(error).split()) or type(error).__name__
                raise WeightsError(f"{self.file} of {self.repository}: {reason}", "check the address") from error
            path = Path(folder, self.file)
            if not path.is_file():
                raise WeightsError(f"{self.file} of {self.repository}: too large for a model", "check the address")
            yield path, hashlib.sha256(path.read_bytes()).hexdigest()


def parse_address(text: str) -> WebAddress | HubAddress | None:
    """None for what looks like a name."""
    if text.startswith("hf:"):
        return HubAddress.parse(text)
    return WebAddress.parse(text) if "://" in text else None


def _model_name(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(SUFFIX)
