"""How a packed file gets from the web or another folder into the cache: whole, checked, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from scales_cli.errors import TransferError, WeightsError
from scales_cli.storage.budget import Patience
from scales_cli.storage.refusals import without_queries
from scales_cli.storage.web import CHUNK_BYTES, PATIENCE, open_url
from scales_cli.system.files import open_regular, whole_file
from scales_cli.system.progress import Progress
from scales_cli.weights.cache import Cache, CachedModel
from scales_cli.weights.packed import MAX_FILE_BYTES, load_packed


def fetch(
    cache: Cache,
    name: str,
    sha256: str,
    source: str | Path,
    *,
    size: int | None = None,
    progress: Progress | None = None,
    patience: Patience = PATIENCE,
) -> Path:
    """Puts the file of a URL or path into the cache, if its hash and content are right; its path there.

    Raises `WeightsError`, and leaves nothing behind, if they are not, or if it cannot be had.
    """
    model = CachedModel(name, sha256, cache.path(name, sha256))
    with cache.writing():
        model.check_kind()
    with suppress(WeightsError):  # of a file that is missing, or not what it should be
        model.check()
        return model.path
    with cache.writing():
        model.path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(model.path, overwrite=True) as stream:
            received = copy_source(os.fspath(source), stream, size=size, progress=progress, patience=patience)
            if received != sha256:
                name = _shown(os.fspath(source))
                raise WeightsError(f"{name}: its SHA-256 is {received}, expected {sha256}", "check the address")
            stream.flush()
            _check_content(stream.name, _shown(os.fspath(source)))
    return model.path


def copy_source(
    source: str,
    stream: BinaryIO,
    *,
    size: int | None = None,
    progress: Progress | None = None,
    patience: Patience = PATIENCE,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Copies a file of the web or of this machine, of a size if that is known; its SHA-256. Raises `WeightsError`."""
    digest = hashlib.sha256()
    received, most = 0, MAX_FILE_BYTES if size is None else size
    with open_source(source, most, patience, headers) as (chunks, announced):
        expected = announced if size is None else size
        for chunk in chunks:
            received += len(chunk)
            if received > most:
                raise WeightsError(f"{_shown(source)}: larger than it should be", "check the address")
            digest.update(chunk)
            stream.write(chunk)
            if progress is not None:
                progress(min(received / expected, 1.0) if expected else 0.0)
    if expected is not None and received < expected:
        raise WeightsError(f"{_shown(source)}: ended after {received} of {expected} bytes", "try again")
    return digest.hexdigest()


def _check_content(path: str, source: str) -> None:
    try:
        load_packed(Path(path))
    except WeightsError as error:
        raise WeightsError(error.message.replace(path, source), error.hint) from error


def _shown(source: str) -> str:
    return without_queries(source) if "://" in source else source


@contextmanager
def open_source(
    source: str, max_bytes: int, patience: Patience, headers: Mapping[str, str] | None = None
) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """Pieces of a file of the web or of this machine, and its size if it is announced; see `open_url`."""
    if "://" in source:
        try:
            with open_url(source, max_bytes, patience, headers) as opened:
                yield opened
        except TransferError as error:
            raise WeightsError(without_queries(error.message), error.hint) from error
        return
    try:
        stream = open_regular(source)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"{source}: cannot be read: {reason}", "give a packed .safetensors file") from error
    with stream:
        yield iter(partial(stream.read, CHUNK_BYTES), b""), os.fstat(stream.fileno()).st_size
