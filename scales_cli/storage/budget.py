"""What a transfer may cost, whatever the server does: seconds and bytes, over all its connections."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from scales_cli.errors import TransferError

OVERHEAD_BYTES = 2**20  # of status lines, headers, interim answers, trailers and the sizes of chunks


@dataclass(frozen=True)
class Patience:
    """Seconds without a byte, seconds until a file begins, and the bytes per second that it has to come at from then.

    A file of B bytes takes at most `start + B / rate` seconds.
    """

    idle: float = 20.0
    start: float = 60.0
    rate: float = 4096.0


class Budget:
    """Ends a transfer that takes too long or sends too much: a watchdog shuts its sockets down, also in mid-read.

    Errors are `TransferError`s without the address.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._began = time.monotonic()
        self._seconds = patience.start
        self._bytes = OVERHEAD_BYTES
        self._in_file = False
        self._connections: list[socket.socket] = []
        self._over = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="scales download", daemon=True)

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        self._watchdog.join()
        for connection in self._connections:
            connection.close()
        if isinstance(error, Exception):
            self.spend(0)  # what a socket says that was shut down is not the reason

    @property
    def remaining(self) -> float:
        """Seconds, less than 0 if time is over."""
        return self._began + self._seconds - time.monotonic()

    def begin_file(self, max_bytes: int) -> None:
        """From here on bytes are those of the file, twice as many at most, for they may come in chunks."""
        self._in_file = True
        self._bytes += 2 * max_bytes

    def add(self, connection: socket.socket) -> None:
        self.spend(0)
        self._connections.append(connection.dup())  # as its own is handed on to TLS

    def spend(self, count: int) -> None:
        """Counts bytes that came. Raises `TransferError` if they were too many or time is over."""
        if self.remaining <= 0:
            raise TransferError(f"too slow, not done after {self._seconds:.0f} s", "try again later")
        self._bytes -= count
        if self._bytes < 0:
            raise TransferError("the server sends more than the file", "check the address")
        if self._in_file:
            self._seconds += count / self.patience.rate

    def _watch(self) -> None:
        while (remaining := self.remaining) > 0:
            if self._over.wait(remaining):
                return
        for connection in self._connections.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
