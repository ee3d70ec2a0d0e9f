"""The transport of the offline demo: requests are answered in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
from typing_extensions import override

from streamchat_nb.agent.offline_rules import plan_reply
from streamchat_nb.agent.offline_stream import reply_frames, request_digest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["OfflineTransport"]


class OfflineTransport(httpx2.AsyncBaseTransport):
    """Answers ``POST /v1/messages`` by fixed rules. Nothing leaves the process.

    Args:
        pace_s: Seconds for each word; 0 for none, which still lets other tasks of
            the loop run between two words.
    """

    def __init__(self, *, pace_s: float) -> None:
        self._pace_s = pace_s

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = msgspec.json.decode(await request.aread(), type=dict[str, Any])
        headers = {
            "content-type": "text/event-stream; charset=utf-8",
            "request-id": f"req_{request_digest(body)}",
        }
        stream = _PacedStream(body, self._pace_s)
        return httpx2.Response(200, headers=headers, stream=stream)


class _PacedStream(httpx2.AsyncByteStream):
    def __init__(self, body: dict[str, Any], pace_s: float) -> None:
        self._body = body
        self._pace_s = pace_s

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        frames = reply_frames(plan_reply(self._body), self._body, pace_s=self._pace_s)
        for delay_s, data in frames:
            await asyncio.sleep(delay_s)
            yield data
