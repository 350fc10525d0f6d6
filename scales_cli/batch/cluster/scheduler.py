"""The scheduler of a Dask cluster: where it is, and the connection to it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from scales_cli.errors import ScalesError, UsageError
from scales_cli.system.extras import require
from scales_cli.system.files import read_small_text
from scales_cli.system.resources import usable_cores

_NOBODY_ELSE = "127.0.0.1:0"
_PATIENCE = 10  # seconds that a scheduler has to answer

# What Dask measures of itself in this process takes more time than its work, and what it logs keeps a thousand groups.
_SETTINGS = {
    "distributed.comm.timeouts.connect": f"{_PATIENCE}s",
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.low-level-log-length": 20,
}
_SILENT = logging.CRITICAL + 1
_HOW_TO_WRITE = "`dask scheduler --scheduler-file` writes such files"
_ADDRESS = re.compile(r"(tcp|tls)://[^/?#@\s]+:\d{1,5}")
_LOCAL = re.compile(r"local(?::(?P<count>[1-9]\d{0,2}))?")


class LostSchedulerError(ScalesError):
    """That what is done is done, but nobody can be asked for more."""


class Scheduler:
    """A connection; of `local` ones, with the cluster behind it, whose `local` workers are threads of this process."""

    def __init__(self, where: str) -> None:
        """`where` is an address, a file that Dask's scheduler wrote, or `local` with a number of workers.

        Raises `UsageError` if it is none of these, `ScalesError` if nobody answers.
        """
        require("distributed", "cluster", "a cluster needs Dask")
        matched = _LOCAL.fullmatch(where)
        self.where = where
        self.local = int(matched["count"] or usable_cores()) if matched else 0
        address = None if matched else _address_of(where)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as of versions that differ a little
            import dask
            import distributed

            _silence("distributed", "tornado", "asyncio")  # what matters, we say
            dask.config.set(_SETTINGS)
            self._cluster: Any = None
            if address is None:
                self._cluster = distributed.LocalCluster(
                    n_workers=self.local,
                    threads_per_worker=1,
                    processes=False,
                    memory_limit=None,
                    dashboard_address=_NOBODY_ELSE,  # None would open one to everybody
                    worker_dashboard_address=_NOBODY_ELSE,
                    silence_logs=_SILENT,
                )
                address = self._cluster.scheduler_address
            self.client: Any = _connected(address)

    @property
    def is_lost(self) -> bool:
        return bool(self.client.status != "running")

    @contextmanager
    def asking(self) -> Iterator[Any]:
        """The client, while something is asked of the scheduler. Raises `LostSchedulerError` if that is lost then."""
        import distributed

        if self.is_lost:
            raise self.lost()
        try:
            yield self.client
        except (distributed.CancelledError, distributed.comm.CommClosedError) as error:  # before the client knows why
            raise self.lost() from error
        except (Exception, asyncio.CancelledError) as error:
            if self.is_lost:
                raise self.lost() from error
            raise

    @property
    def description(self) -> str:
        """Its address, and that of its dashboard, if it has one; `local` if it is within this process."""
        if self.local:
            return f"scheduler: {self.where}"
        dashboard = ""
        with self.asking() as client:
            if client.scheduler_info(n_workers=0)["services"].get("dashboard"):
                dashboard = f"; dashboard: {client.dashboard_link}"
        return f"scheduler: {client.scheduler.address}{dashboard}"

    def lost(self) -> LostSchedulerError:
        return LostSchedulerError(
            f"the scheduler at {self.where} is lost", "start it and run again: what is done will not be done again"
        )

    def close(self) -> None:
        for part in (self.client, self._cluster):
            with suppress(Exception, asyncio.CancelledError):  # there is nothing more to lose
                part.close(timeout=2)


def _connected(address: str) -> Any:
    """A client of the scheduler there. Raises `ScalesError` if nobody answers, or something else."""
    import distributed

    class Client(distributed.Client):  # type: ignore[misc]
        def start(self, **options: Any) -> None:
            """Bounds what Dask's own timeout does not: the wait for the first word of who is connected."""
            super().start(callback_timeout=2 * _PATIENCE, **options)

    try:
        return Client(address, timeout=_PATIENCE, set_as_default=False, name="scales")
    except (OSError, ValueError) as error:
        raise ScalesError(
            f"no scheduler answers at {address}", "start one with `dask scheduler`, or check the address"
        ) from error
    except Exception as error:  # whatever is made of the words of another server
        if isinstance(error, TypeError) and address.startswith("tls:"):
            raise UsageError(
                f"{address} needs certificates", "name them in Dask's settings: distributed.comm.tls.ca-file and so on"
            ) from error
        raise ScalesError(f"what answers at {address} is no scheduler", "check the address") from error


def _silence(*names: str) -> None:
    """Loggers of these names and those below, which Dask gives levels of their own."""
    for name in (*names, *logging.root.manager.loggerDict):
        if name.split(".")[0] in names:
            logging.getLogger(name).setLevel(_SILENT)


def _address_of(where: str) -> str:
    if "://" in where:
        if _ADDRESS.fullmatch(where) is None:
            raise UsageError(f"{where} is no address of a scheduler", "such as tcp://host:8786")
        return where
    try:
        address = str(json.loads(read_small_text(where))["address"])
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no file {where} of a scheduler", "give tcp://host:8786, local, or `dask scheduler`'s file"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{where} is not what a scheduler wrote", _HOW_TO_WRITE) from error
    if _ADDRESS.fullmatch(address) is None:
        raise UsageError(f"{where} has an address that is none of a scheduler: {address[:100]}", _HOW_TO_WRITE)
    return address
