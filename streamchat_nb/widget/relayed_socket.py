"""One browser's socket to the server, opened by the kernel in its place."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from tornado.websocket import WebSocketClosedError

from streamchat_nb.client.http import HttpApi
from streamchat_nb.client.web_socket import connect_socket
from streamchat_nb.errors import ConnectError, StreamchatError
from streamchat_nb.protocol.close_codes import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tornado.websocket import WebSocketClientConnection

    from streamchat_nb.client.discovery import ServerAddress
    from streamchat_nb.widget.kernel_channel import KernelMessage

__all__ = ["RelayedSocket"]

CONNECT_TIMEOUT_S = 5.0
PING_S = 15.0
BEAT_S = 5.0
PACE_S = 0.02
BATCH_CHARACTERS = 262_144
WINDOW_CHARACTERS = 2_097_152
INBOX_CHARACTERS = 1_048_576
UNHEARD_BEATS = 36
OWN_COMMAND = "relay"
_RENEW = ""
_ABNORMAL = 1006


class RelayedSocket:
    """Passes frames on between a browser and the server, until either one ends.

    Frames pass as they are, but for the token: the browser's ``authenticate`` has
    none, the kernel puts its own in, and renews it by itself.

    What the browser has not taken is bounded by 2 MiB, then the server is not read
    any more; what the server has not taken by 1 MiB, then it ends. A browser that was
    not heard for 3 minutes, in which it could have been, is thought to be gone.

    All of it on one event loop, which begins with its constructor.

    Args:
        id_: The browser's name for it.
        send: Sends a message to the browser.
        find_server: Finds the server; may block and raise ``StreamchatError``.
        is_heard: Whether messages of the browser get through now.
        seated: Called when it is known which client this is.
        ended: Called when it is over.

    Attributes:
        id: The browser's name for it.
        client: The id of the browser's client; empty until it has said it.
        unheard_beats: How often in a row the browser could have been heard, and was
            not; every 5 s.
    """

    def __init__(
        self,
        id_: str,
        *,
        send: Callable[[KernelMessage], None],
        find_server: Callable[[], ServerAddress],
        is_heard: Callable[[], bool],
        seated: Callable[[RelayedSocket], None],
        ended: Callable[[RelayedSocket], None],
    ) -> None:
        self.id = id_
        self.client = ""
        self.unheard_beats = 0
        self._send = send
        self._find_server = find_server
        self._is_heard = is_heard
        self._seated = seated
        self._ended = ended
        self._is_over = False
        self._n = 0
        self._heard = 0
        self._token: str | None = None
        self._inbox: asyncio.Queue[str] = asyncio.Queue()
        self._inbox_characters = 0
        self._batch: list[str] = []
        self._batch_characters = 0
        self._flush_at = 0.0
        self._flushing: asyncio.TimerHandle | None = None
        self._untaken: deque[tuple[int, int]] = deque()
        self._untaken_characters = 0
        self._has_room = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="streamchat relay"
        )

    # the browser

    def take_frame(self, data: str) -> None:
        """Pass a frame of the browser on."""
        self.unheard_beats = 0
        self._heard += 1
        self._inbox_characters += len(data)
        if self._inbox_characters > INBOX_CHARACTERS:
            self.end(CloseCode.RATE_LIMITED, "the server does not take what is sent")
        elif data:
            self._inbox.put_nowait(data)

    def taken(self, n: int) -> None:
        """Take note that the browser has taken all up to message ``n``."""
        self.unheard_beats = 0
        while self._untaken and self._untaken[0][0] <= n:
            self._untaken_characters -= self._untaken.popleft()[1]
        self._has_room.set()

    def close(self) -> None:
        """End it without a word to the browser. Idempotent."""
        if not self._is_over:
            self._is_over = True
            if self._flushing is not None:
                self._flushing.cancel()
            self._task.cancel()
            self._ended(self)

    def end(self, code: int, reason: str) -> None:
        """End it and say why. Idempotent."""
        if not self._is_over:
            self._flush()
            self._tell({"type": "closed", "code": code, "reason": reason})
            self.close()

    # inside

    async def _run(self) -> None:
        try:
            async with contextlib.AsyncExitStack() as stack:
                self._own(stack, self._beat())
                http, socket = await self._connect()
                stack.callback(socket.close)
                self._own(stack, self._write(http, socket))
                await self._read(socket)
                self.end(socket.close_code or _ABNORMAL, socket.close_reason or "")
        except StreamchatError as error:
            self._fail(error)
        finally:
            self.end(_ABNORMAL, "")

    def _own(
        self, stack: contextlib.AsyncExitStack, work: Coroutine[None, None, None]
    ) -> None:
        """Run something beside, which ends with the stack; its failure ends all."""

        async def run() -> None:
            try:
                await work
            except StreamchatError as error:
                self._fail(error)

        task = asyncio.get_running_loop().create_task(run(), name="streamchat relay")
        stack.callback(task.cancel)

    async def _connect(self) -> tuple[HttpApi, WebSocketClientConnection]:
        http = HttpApi(await asyncio.to_thread(self._find_server))
        # First the token: whether the server is there at all, its answer tells.
        self._token = await _fetch_token(http)
        socket = await connect_socket(http, CONNECT_TIMEOUT_S, ping_interval_s=PING_S)
        return http, socket

    async def _beat(self) -> None:
        """Let the browser know that the kernel is there, and end it without one."""
        while True:
            self._tell({"type": "alive", "heard": self._heard})
            await asyncio.sleep(BEAT_S)
            if self._is_heard():
                self.unheard_beats += 1
            if self.unheard_beats > UNHEARD_BEATS:
                self.end(CloseCode.GOING_AWAY, "the browser was not heard of any more")

    async def _read(self, socket: WebSocketClientConnection) -> None:
        while (data := await socket.read_message()) is not None:
            text = data if isinstance(data, str) else data.decode()
            if text.startswith('{"type":"token.expiring"'):
                self._inbox.put_nowait(_RENEW)
            elif f'"re":"{OWN_COMMAND}"' not in text[:128]:
                self._deliver(text)
            while self._untaken_characters > WINDOW_CHARACTERS:
                self._has_room.clear()
                await self._has_room.wait()

    async def _write(self, http: HttpApi, socket: WebSocketClientConnection) -> None:
        with contextlib.suppress(WebSocketClosedError):  # the reader tells why
            while True:
                data = await self._inbox.get()
                self._inbox_characters -= len(data)
                if data == _RENEW:
                    command = {"type": "authenticate", "id": OWN_COMMAND}
                    data = await self._with_token(command, http)
                elif '"authenticate"' in data:
                    data = await self._authenticating(data, http)
                await socket.write_message(data)

    async def _authenticating(self, data: str, http: HttpApi) -> str:
        """Put the kernel's token into a frame, if that is one to authenticate."""
        try:
            frame = msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.DecodeError:
            return data  # the server says what is wrong with it
        if frame.get("type") != "authenticate":
            return data
        client = frame.get("client")
        if isinstance(client, dict):
            self.client = str(client.get("id", ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            self._seated(self)
        return await self._with_token(frame, http)

    async def _with_token(self, frame: dict[str, Any], http: HttpApi) -> str:
        token, self._token = self._token, None
        frame["token"] = token or await _fetch_token(http)
        return msgspec.json.encode(frame).decode()

    # to the browser

    def _deliver(self, text: str) -> None:
        self._batch.append(text)
        self._batch_characters += len(text)
        if self._batch_characters >= BATCH_CHARACTERS:
            self._flush()
        elif self._flushing is None:
            # One message for all that comes at once: front ends count them.
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_at(self._flush_at, self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._batch:
            characters = self._batch_characters
            self._tell({"type": "frames", "frames": self._batch})
            self._batch = []
            self._batch_characters = 0
            self._untaken.append((self._n, characters))
            self._untaken_characters += characters
            self._flush_at = asyncio.get_running_loop().time() + PACE_S

    def _fail(self, error: StreamchatError) -> None:
        """Say that the server cannot be reached, or what it said."""
        if self._is_over:
            return
        status: int | None = error.http_status
        if isinstance(error, ConnectError):
            # No server; or what is there will not do.
            status = None if error.retryable else 400
        problem = {"code": error.code, "message": error.message}
        self._tell(
            {
                "type": "failed",
                "status": status,
                "problem": {**problem, "retryable": error.retryable},
            }
        )
        self.close()

    def _tell(self, message: KernelMessage) -> None:
        self._n += 1
        self._send({**message, "relay": self.id, "n": self._n})


async def _fetch_token(http: HttpApi) -> str:
    return str((await http.request("POST", "token")).get("token"))
