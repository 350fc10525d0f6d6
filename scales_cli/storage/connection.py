"""Connections of `requests`, through proxies or not, that a budget pays for."""

from __future__ import annotations

import io
import socket
from http.client import HTTPResponse
from typing import Any

import urllib3
from requests import Response, Session
from requests.adapters import HTTPAdapter

from scales_cli.storage.budget import Budget


class BudgetSession(Session):
    """Reads no byte of a body by itself, not even of a redirection's."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(budget))

    def get_redirect_target(self, resp: Response) -> str | None:
        """None, as whoever asks would read the body first."""
        return None


class _Adapter(HTTPAdapter):
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        # A connection that cannot be made is tried again, and nothing else: urllib3 would read what it throws away.
        retries = urllib3.Retry(2, read=0, redirect=0, status=0, other=0, backoff_factor=0.3)
        retries.respect_retry_after_header = False
        super().__init__(max_retries=retries)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self._guard(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            self._guard(manager)
        return manager

    def _guard(self, manager: urllib3.PoolManager) -> None:
        """Makes the manager's pools, of whatever kind, open connections of this budget."""
        pools: dict[str, Any] = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: self._guarded(pool) for scheme, pool in pools.items()}

    def _guarded(self, pool: Any) -> Any:
        connection = type("Connection", (_Spending, pool.ConnectionCls), {"budget": self._budget})
        return type("Pool", (pool,), {"ConnectionCls": connection})


class _Spending:
    """What a connection of urllib3 does beside its work."""

    budget: Budget

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            self.budget.add(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def response_class(self, *arguments: Any, **options: Any) -> HTTPResponse:
        response = HTTPResponse(*arguments, **options)
        response.fp = io.BufferedReader(_Metered(response.fp.detach(), self.budget))
        return response


class _Metered(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, budget: Budget) -> None:
        self._raw = raw
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._budget.spend(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
