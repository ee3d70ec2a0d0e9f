"""One WebSocket for all conversations of a client."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Literal, cast

from tornado.websocket import WebSocketClosedError

from streamchat_nb.client.http import error_from
from streamchat_nb.client.log_reader import LogReader
from streamchat_nb.client.session import (
    SocketToken,
    TransportBlocked,
    server_restarts,
    settle,
)
from streamchat_nb.client.web_socket import connect_socket
from streamchat_nb.errors import (
    AuthenticationError,
    BadFrame,
    ConnectError,
    StreamchatError,
    TooLarge,
)
from streamchat_nb.protocol.close_codes import CLOSE_CODES, CloseCode
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.commands import (
    Authenticate,
    Command,
    Ping,
    ReportAgent,
    ReportTool,
    Subscribe,
    Unsubscribe,
)
from streamchat_nb.protocol.connection import FRAMES_PER_CALL
from streamchat_nb.protocol.frames import (
    Ack,
    Authenticated,
    CallTool,
    CancelAgent,
    CancelTool,
    ErrorFrame,
    GoingAway,
    Hello,
    Pong,
    RunAgent,
    Subscribed,
    TokenExpiring,
)
from streamchat_nb.protocol.limits import Limits
from streamchat_nb.protocol.short_deltas import SHORT_DELTAS, FrameReader

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tornado.websocket import WebSocketClientConnection

    from streamchat_nb.client.command_requests import ConversationCommand
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.log_reader import Reading
    from streamchat_nb.client.session import SessionHost
    from streamchat_nb.protocol.commands import LendingCommand
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame

__all__ = ["SocketSession"]

HELLO_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0
MOST_SILENCE_S = 20.0
PONG_TIMEOUT_S = 10.0
BEHIND_TIMEOUT_S = 3.0
CLOSE_TIMEOUT_S = 1.0
TOKEN_MARGIN_S = 5.0
MOST_TOKEN_LIFE_S = 300.0

_Answer = Ack | Subscribed | Authenticated | Pong


class SocketSession:
    """A ``Session`` over one WebSocket, which it reads and whose silence it notices.

    Args:
        host: The connection that it belongs to.
    """

    transport: Literal["websocket"] = "websocket"

    def __init__(self, host: SessionHost) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[StreamchatError] = loop.create_future()
        self._host = host
        self._socket: WebSocketClientConnection | None = None
        self._hello: asyncio.Future[Hello] = loop.create_future()
        self._limits = Limits()
        self._heard_at = loop.time()
        self._readers: dict[str, LogReader] = {}
        self._waiting: dict[int, asyncio.Future[_Answer]] = {}
        self._frame_times: list[float] = []
        self._is_open = False
        self._restarts: ConnectError | None = None
        self._reader: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open the socket, wait for its ``hello`` and authenticate.

        With the token of the socket before, while it is good: so thousands who come
        back to a server that was restarted ask it for none.
        """
        kept = self._host.socket_token
        if kept is None or asyncio.get_running_loop().time() >= kept.good_until:
            # First the token: whether the server is there at all, its answer tells.
            await self._open_with(await self._fetch_token())
            return
        try:
            await self._open_with(kept)
        except TransportBlocked as error:
            if error.nobody_there:
                raise ConnectError(
                    f"The server at {self._host.http.address.url} cannot be reached."
                ) from None
            # Whether the socket is to blame or the token, the next attempt tells.
            self._host.socket_token = None
            raise

    async def _open_with(self, token: SocketToken) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + HELLO_TIMEOUT_S
        self._socket = await connect_socket(self._host.http, HELLO_TIMEOUT_S)
        self._reader = loop.create_task(self._read(self._socket))
        await asyncio.wait(
            {self._hello, self.ended},
            timeout=deadline - loop.time(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self.ended.done():
            raise self.ended.result()
        if not self._hello.done():
            raise TransportBlocked("WebSockets do not get through.", slow=True)
        hello = self._hello.result()
        self._limits = hello.limits
        await self._authenticate(token)
        self._is_open = True
        silence_s = min(MOST_SILENCE_S, hello.heartbeat_ms / 1000)
        self._own(self._listen_for_silence(silence_s))

    async def follow(self, log: FollowedLog) -> None:
        """Subscribe from the conversation's cursor on."""
        command = Subscribe(
            id=self._host.next_id(),
            conversation=log.id,
            since=log.since,
        )
        self._readers[log.id] = LogReader(log, command.id)
        try:
            await self._command(command)
        except StreamchatError:
            self._readers.pop(log.id, None)
            raise

    async def unfollow(self, log: FollowedLog) -> None:
        """Unsubscribe."""
        if self._readers.pop(log.id, None) is not None:
            command = Unsubscribe(id=self._host.next_id(), conversation=log.id)
            with contextlib.suppress(StreamchatError):
                await self._command(command)

    async def perform(self, command: ConversationCommand) -> Ack:
        """Send a command and return its answer; with a fresh token if it must be."""
        try:
            return cast("Ack", await self._command(command))
        except AuthenticationError as error:
            if error.code != "auth_expired":
                raise
        await self._refresh_token()
        return cast("Ack", await self._command(command))

    async def tell(self, command: LendingCommand) -> Ack | None:
        """Send a command about what is lent, and return its answer, if it has one."""
        if isinstance(command, ReportTool):
            await self._pace()
            await self._write(command)
            return None
        answer = await self._command(command)
        if isinstance(command, ReportAgent):
            # The server asks for the next one by its answer: that is no flood.
            del self._frame_times[:1]
        return cast("Ack", answer)

    async def close(self) -> None:
        """Close the socket and wait until it is closed, for 1 s at most."""
        socket, self._socket = self._socket, None
        self._end(ConnectError("The connection was closed."))
        if socket is not None and self._reader is not None:
            stream = getattr(socket.protocol, "stream", None)
            socket.close(CloseCode.NORMAL)
            await asyncio.wait({self._reader}, timeout=CLOSE_TIMEOUT_S)
            self._reader.cancel()
            if stream is not None:
                stream.close()  # in case that nobody answered the close
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # connecting

    async def _fetch_token(self) -> SocketToken:
        answer = await self._host.http.request("POST", "token")
        # Where the clocks differ, it is refused and asked for again.
        left_s = float(answer.get("expires_at", 0)) - time.time() - TOKEN_MARGIN_S
        now = asyncio.get_running_loop().time()
        return SocketToken(
            text=str(answer.get("token")),
            good_until=now + min(MOST_TOKEN_LIFE_S, left_s),
        )

    async def _authenticate(self, token: SocketToken) -> None:
        description = self._host.description
        try:
            await self._command(
                Authenticate(
                    id=self._host.next_id(),
                    token=token.text,
                    client=description,
                    features=[SHORT_DELTAS],
                )
            )
        except AuthenticationError:
            raise TransportBlocked(
                "The server does not accept its own token over a WebSocket."
            ) from None
        self._host.socket_token = token

    async def _refresh_token(self) -> None:
        token = await self._fetch_token()
        await self._command(Authenticate(id=self._host.next_id(), token=token.text))
        self._host.socket_token = token

    async def _refresh_token_ahead(self) -> None:
        """Refresh; a failure shows when the old token ends."""
        with contextlib.suppress(StreamchatError):
            await self._refresh_token()

    # commands and their answers

    async def _command(
        self, command: Command, *, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> _Answer:
        """Send one command and return its answer.

        Raises:
            StreamchatError: The server refused it.
            TooLarge: The server would end the connection for its size.
            ConnectError: The socket was lost before the answer.
        """
        await self._pace()
        id_ = cast("int", command.id)
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._write(command)
                return await answer
        except TimeoutError:
            self._end(ConnectError("The server does not answer."))
            raise _lost() from None
        finally:
            self._waiting.pop(id_, None)

    async def _write(self, command: Command) -> None:
        """Send one command.

        Raises:
            TooLarge: The server would end the connection for its size.
            ConnectError: The socket is lost.
        """
        socket = self._socket
        if socket is None or self.ended.done():
            raise _lost()
        data = encode(command)
        if len(data) > self._limits.frame_bytes:
            raise TooLarge(
                f"A frame may have at most {self._limits.frame_bytes} bytes.",
                details={"frame_bytes": self._limits.frame_bytes},
            )
        try:
            await socket.write_message(data.decode())
        except WebSocketClosedError:
            raise _lost() from None

    async def _pace(self) -> None:
        """Wait while the server would take one more frame for a flood."""
        loop = asyncio.get_running_loop()
        window_s = self._limits.window_ms / 1000
        most = max(1, self._limits.frames_per_window * 3 // 4)
        times = self._frame_times
        now = loop.time()
        # Each frame takes its place at once, so that those behind it wait longer.
        slot = max(now, times[-most] + window_s) if len(times) >= most else now
        times.append(slot)
        del times[:-most]
        if slot > now:
            await asyncio.sleep(slot - now)

    async def _listen_for_silence(self, most_s: float) -> None:
        """Ask for a sign of life after each silence, and see whether all came."""
        loop = asyncio.get_running_loop()
        while True:
            silence_s = loop.time() - self._heard_at
            if silence_s < most_s:
                await asyncio.sleep(most_s - silence_s)
                continue
            try:
                pong = await self._command(
                    Ping(id=self._host.next_id()), timeout_s=PONG_TIMEOUT_S
                )
            except ConnectError:
                return
            if isinstance(pong, Pong):
                await asyncio.sleep(BEHIND_TIMEOUT_S)
                self._follow_what_is_behind(pong.heads)

    def _follow_what_is_behind(self, heads: dict[str, int]) -> None:
        """Subscribe again where events are missing that should have come long ago."""
        for id_, reader in tuple(self._readers.items()):
            if reader.log.state.seq < heads.get(id_, 0):
                self._settle(reader.log, "gap")

    # what comes in

    async def _read(self, socket: WebSocketClientConnection) -> None:
        loop = asyncio.get_running_loop()
        frames = FrameReader()
        while (data := await socket.read_message()) is not None:
            self._heard_at = loop.time()
            if self.ended.done():
                continue  # until the close is answered
            try:
                self._take(
                    frames.read(data.encode() if isinstance(data, str) else data)
                )
            except BadFrame as error:
                self._end(error)
        self._end(self._why(socket.close_code))

    def _take(self, frame: Frame | Event | UnknownEvent) -> None:
        match frame:
            case Ack() | Authenticated() | Pong():
                self._resolve(frame)
            case ErrorFrame():
                waiting = self._waiting.get(cast("int", frame.re))
                if waiting is not None and not waiting.done():
                    waiting.set_exception(error_from(frame))
            case TokenExpiring():
                self._own(self._refresh_token_ahead())
            case Hello():
                if not self._hello.done():
                    self._hello.set_result(frame)
            case CallTool() | RunAgent():
                # Its answers are no flood to the server.
                del self._frame_times[:FRAMES_PER_CALL]
                self._host.called(frame)
            case CancelTool() | CancelAgent():
                self._host.called(frame)
            case GoingAway():
                self._restarts = server_restarts(frame)
            case _:
                self._deliver(frame)

    def _deliver(self, frame: Frame | Event | UnknownEvent) -> None:
        reader = self._readers.get(getattr(frame, "conversation", ""))
        if reader is not None:
            self._settle(reader.log, reader.take(frame))
        if isinstance(frame, Subscribed):
            self._resolve(frame)

    def _resolve(self, answer: _Answer) -> None:
        waiting = self._waiting.get(cast("int", answer.re))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _settle(self, log: FollowedLog, reading: Reading) -> None:
        if reading != "read":
            # What still comes of the old delivery is not for anybody.
            self._readers.pop(log.id, None)
            settle(self._host, self, log, reading)

    def _why(self, code: int | None) -> StreamchatError:
        """Return why the socket was closed."""
        if self._restarts is not None:
            return self._restarts
        meaning = CLOSE_CODES.get(CloseCode(code)) if code in set(CloseCode) else None
        if code == CloseCode.AUTHENTICATION and not self._is_open:
            return TransportBlocked("The server closed the WebSocket: no good token.")
        if meaning is not None and code != CloseCode.NORMAL:
            return ConnectError(
                f"The server closed the connection: {meaning.meaning}.",
                retryable=meaning.reconnect,
            )
        if not self._is_open:
            return TransportBlocked("WebSockets are cut as soon as they are open.")
        return _lost()

    def _end(self, error: StreamchatError) -> None:
        if not self.ended.done():
            self.ended.set_result(error)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_lost())

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _lost() -> ConnectError:
    return ConnectError("The connection to the server was lost; try again.")
