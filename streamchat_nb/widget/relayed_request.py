"""The few requests of a browser that the kernel makes in its place."""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.client.http import HttpApi
from streamchat_nb.errors import ConnectError, StreamchatError
from streamchat_nb.protocol.content import ErrorBody

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.client.discovery import ServerAddress
    from streamchat_nb.widget.kernel_channel import KernelMessage

__all__ = ["RelayedRequests"]

MOST_REQUESTS = 8
MOST_BYTES = 12 * 1024 * 1024
PART_BYTES = 262_144
PACE_S = 0.02
TIMEOUT_S = 60.0

_ONE = r"conversations/[A-Za-z0-9._:-]{1,64}"
_QUERY = r"(\?[A-Za-z0-9%._~*'()!=&:-]*)?"
_ALLOWED = {
    "GET": re.compile(
        rf"(agents|models|health|conversations){_QUERY}"
        r"|static/[a-z_]{1,40}\.js"
        rf"|{_ONE}/artifacts/[A-Za-z0-9._:-]{{1,64}}"
        rf"|{_ONE}/turns/[A-Za-z0-9._:-]{{1,64}}/trace"
    ),
    "POST": re.compile(rf"conversations|check|{_ONE}/(artifacts{_QUERY}|restore)"),
    "PATCH": re.compile(_ONE),
    "DELETE": re.compile(rf"{_ONE}{_QUERY}"),
}
_JSON = "application/json"
_FILE = "application/octet-stream"
_SCRIPT = "text/javascript"


@dataclass
class _Request:
    """A request while its parts come, and while it is made."""

    method: str
    path: str
    parts: int
    body: bytearray = field(default_factory=bytearray)
    parts_here: int = 0
    task: asyncio.Task[None] | None = None


class RelayedRequests:
    """Makes requests that are on a list, 8 at once, with bodies of 12 MiB at most.

    On the list are what a browser without a way to the server needs besides its
    socket: who answers and could, how a conversation is set, a new conversation, files
    put into one and read from it, a check of the endpoint, and the parts of the front
    end that are loaded when they are needed. Those the kernel has in its own package.

    All of it on one event loop.

    Args:
        send: Sends a message to the browser.
        find_server: Finds the server; may block and raise ``StreamchatError``.
    """

    def __init__(
        self,
        send: Callable[[KernelMessage], None],
        find_server: Callable[[], ServerAddress],
    ) -> None:
        self._send = send
        self._find_server = find_server
        self._requests: dict[str, _Request] = {}

    def take(self, message: KernelMessage) -> None:
        """Take a message from the browser.

        Raises:
            KeyError, TypeError, ValueError: It is none of a request.
        """
        id_ = str(message["request"])[:64]
        match message["type"]:
            case "request" if id_ not in self._requests:
                self._begin(id_, message)
            case "part" if (request := self._requests.get(id_)) is not None:
                self._take_part(id_, request, message)
            case "drop":
                self._drop(id_)
            case _:
                pass

    def close(self) -> None:
        """Drop all of them."""
        for id_ in tuple(self._requests):
            self._drop(id_)

    def _begin(self, id_: str, message: KernelMessage) -> None:
        request = _Request(
            method=str(message["method"]),
            path=str(message["path"]),
            parts=int(message.get("parts", 0)),
        )
        allowed = _ALLOWED.get(request.method)
        if allowed is None or allowed.fullmatch(request.path) is None:
            self._refuse(id_, 403, "forbidden", "The kernel does not pass this on.")
        elif len(self._requests) >= MOST_REQUESTS:
            self._refuse(id_, 429, "rate_limited", "Too many requests at once.")
        else:
            self._requests[id_] = request
            self._start_when_whole(id_, request)

    def _take_part(self, id_: str, request: _Request, message: KernelMessage) -> None:
        if request.task is not None:
            return
        try:
            request.body += base64.b64decode(str(message["data"]), validate=True)
        except binascii.Error:
            self._drop(id_)
            raise
        request.parts_here += 1
        if len(request.body) > MOST_BYTES:
            self._drop(id_)
            self._refuse(id_, 413, "too_large", "This file is too large.")
        else:
            self._start_when_whole(id_, request)

    def _start_when_whole(self, id_: str, request: _Request) -> None:
        if request.parts_here >= request.parts:
            request.task = asyncio.get_running_loop().create_task(
                self._make(id_, request), name="streamchat relayed request"
            )

    def _drop(self, id_: str) -> None:
        request = self._requests.pop(id_, None)
        if request is not None and request.task is not None:
            request.task.cancel()

    async def _make(self, id_: str, request: _Request) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, media_type, body = await self._answer(request)
        except (ConnectError, OSError):  # also a timeout
            status, media_type, body = 0, "", b""  # no answer
        except StreamchatError as error:
            status, media_type = error.http_status, _JSON
            body = _encoded(error.code, error.message, retryable=error.retryable)
        await self._tell(id_, status, media_type, body)
        self._requests.pop(id_, None)

    async def _answer(self, request: _Request) -> tuple[int, str, bytes]:
        if request.path.startswith("static/"):
            script = files("streamchat_nb.widget").joinpath(request.path)
            return 200, _SCRIPT, await asyncio.to_thread(script.read_bytes)
        http = HttpApi(await asyncio.to_thread(self._find_server))
        headers = {"Content-Type": _FILE if "/artifacts" in request.path else _JSON}
        body = bytearray()
        async with http.open(
            request.method, request.path, bytes(request.body), headers
        ) as answer:
            while (chunk := await answer.chunk()) is not None:
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ConnectError("The server's answer is too large.")
            return answer.status, answer.headers.get("Content-Type", ""), bytes(body)

    def _refuse(self, id_: str, status: int, code: str, message: str) -> None:
        body = _encoded(code, message)
        head = {"status": status, "media_type": _JSON, "parts": 1}
        self._send({"type": "answer", "request": id_, **head})
        self._send({"type": "part", "request": id_, "n": 1, "data": _base64(body)})

    async def _tell(self, id_: str, status: int, media_type: str, body: bytes) -> None:
        """Send an answer in parts that a front end's channel takes."""
        parts = math.ceil(len(body) / PART_BYTES)
        head = {"status": status, "media_type": media_type, "parts": parts}
        self._send({"type": "answer", "request": id_, **head})
        for number in range(parts):
            part = body[number * PART_BYTES : (number + 1) * PART_BYTES]
            message = {"request": id_, "n": number + 1, "data": _base64(part)}
            self._send({"type": "part", **message})
            await asyncio.sleep(PACE_S)


def _encoded(code: str, message: str, *, retryable: bool = False) -> bytes:
    body = ErrorBody(code=code, message=message, retryable=retryable)
    return msgspec.json.encode(body)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
