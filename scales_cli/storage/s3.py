"""How s3fs reaches its server."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession

from scales_cli.storage.answers import BoundedAnswer, answered


class BoundedSession(AIOHTTPSession):  # type: ignore[misc]
    """Gives answers that are bounded. Raises `TimeoutError` if none comes, though there be a byte now and then."""

    async def send(self, request: Any) -> Any:
        async with answered(int(request.headers.get("Content-Length") or 0)):
            return await super().send(request)

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = await super()._get_session(proxy_url)
        session._response_class = BoundedAnswer  # for which aiobotocore has no option
        return session
