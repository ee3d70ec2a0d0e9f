"""The client: one authenticated socket, any number of conversations, each a fold.

::

    async with connect() as client:
        conversation = await client.conversation()
        answer = await conversation.ask("Who is Ada?")

A lost socket comes back by itself: every conversation goes on from its cursor, and a
message that was not acknowledged is sent again under the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from typing import TYPE_CHECKING, Literal, Self, cast

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

from streamchat_nb._version import __version__
from streamchat_nb.client.conversation import ClientConversation
from streamchat_nb.client.discovery import ServerAddress, find_server
from streamchat_nb.client.http import HttpApi, error_from
from streamchat_nb.errors import (
    AuthenticationError,
    BadFrame,
    ConnectError,
    NotFound,
    StreamchatError,
    TooLarge,
)
from streamchat_nb.protocol.close_codes import CLOSE_CODES, CloseCode
from streamchat_nb.protocol.codec import decode_frame, encode
from streamchat_nb.protocol.commands import (
    Authenticate,
    Cancel,
    ClientDescription,
    Command,
    Send,
    Subscribe,
    Unsubscribe,
)
from streamchat_nb.protocol.connection import PROTOCOL
from streamchat_nb.protocol.frames import (
    Ack,
    Authenticated,
    ErrorFrame,
    GoingAway,
    Hello,
    Live,
    Pong,
    Snapshot,
    Subscribed,
    TokenExpiring,
    Unsubscribed,
)
from streamchat_nb.protocol.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from types import TracebackType

    from tornado.websocket import WebSocketClientConnection

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame

__all__ = ["Client", "connect"]

ANSWER_TIMEOUT_S = 15.0
FIRST_DELAY_S = 0.5
MOST_DELAY_S = 30.0
LARGEST_FRAME_BYTES = 16 * 1024 * 1024


@contextlib.asynccontextmanager
async def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    kind: Literal["kernel", "tool"] = "tool",
    name: str = "",
) -> AsyncGenerator[Client]:
    """Connect to a server and close at the end of the block.

    Args:
        url: Base address of the Jupyter server; found by itself when ``None``.
        token: Its token.
        kind: What this client is.
        name: Shown to others.

    Raises:
        ConnectError: No server was found or it cannot be reached.
        AuthenticationError: It refused the token.
    """
    client = Client(find_server(url, token), kind=kind, name=name)
    try:
        await client.open()
        yield client
    finally:
        await client.close()


class Client:
    """A connection to one server.

    Not thread-safe: all calls on the event loop that opened it.

    Args:
        address: The server.
        kind: What this client is.
        name: Shown to others.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        kind: Literal["kernel", "tool"] = "tool",
        name: str = "",
    ) -> None:
        self.http = HttpApi(address)
        self._description = ClientDescription(
            id=f"k_{secrets.token_hex(8)}", name=name, version=__version__, kind=kind
        )
        self._conversations: dict[str, ClientConversation] = {}
        self._waiting: dict[int, asyncio.Future[Ack | Subscribed | Authenticated]] = {}
        self._next_id = 0
        self._limits = Limits()
        self._frame_times: list[float] = []
        self._socket: WebSocketClientConnection | None = None
        self._open = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect and authenticate; later losses are mended by themselves.

        Raises:
            ConnectError: The server cannot be reached.
            AuthenticationError: It refused us.
        """
        reader = await self._connect()
        self._keeper = asyncio.get_running_loop().create_task(
            self._keep_connected(reader), name="streamchat client"
        )

    async def close(self) -> None:
        """Close the socket and release who waits; the turns go on. Idempotent."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        for task in self._tasks:
            task.cancel()
        self._drop_socket()
        self._end(ConnectError("This client was closed.", retryable=False))
        self.http.close()

    async def conversation(self, id_: str | None = None) -> ClientConversation:
        """Return a conversation with its state up to now; a new one for ``None``.

        Raises:
            NotFound: There is no such conversation.
            ConnectError: The connection was lost meanwhile.
        """
        if id_ is None:
            id_ = cast(
                "str", (await self.http.request("POST", "conversations", {}))["id"]
            )
        conversation = self._conversations.get(id_)
        try:
            if conversation is None:
                conversation = ClientConversation(id_, self)
                self._conversations[id_] = conversation
                await self._subscribe(conversation)
            await conversation.current()
        except ConnectionError:
            self._lose(id_, lost := _lost())
            raise lost from None
        except StreamchatError as error:
            self._lose(id_, error)
            raise
        return conversation

    async def unfollow(self, id_: str) -> None:
        """Stop following a conversation; who waits on it gets a ``ConnectError``."""
        self._lose(
            id_,
            ConnectError("This conversation is not followed any more."),
        )
        with contextlib.suppress(ConnectionError, StreamchatError):
            await self.command(Unsubscribe(id=self.next_id(), conversation=id_))

    async def send(self, command: Send) -> Ack:
        """Send a message; tried again over reconnects until the server answers.

        Raises:
            StreamchatError: The server refused it.
            ConnectError: No connection within 60 s.
        """
        while True:
            try:
                async with asyncio.timeout(60):
                    await self._open.wait()
            except TimeoutError:
                raise ConnectError("There is no connection to the server.") from None
            with contextlib.suppress(ConnectionError):
                return cast("Ack", await self.command(command))

    async def cancel(self, conversation: str, turn: str) -> Ack:
        """End a turn.

        Raises:
            NotFound: There is no such turn.
            ConnectError: There is no connection now.
        """
        command = Cancel(id=self.next_id(), conversation=conversation, turn=turn)
        try:
            return cast("Ack", await self.command(command))
        except ConnectionError:
            raise _lost() from None

    def next_id(self) -> int:
        """Return a fresh command id."""
        self._next_id += 1
        return self._next_id

    async def command(self, command: Command) -> Ack | Subscribed | Authenticated:
        """Send one command and return its answer.

        Raises:
            StreamchatError: The server refused it.
            TooLarge: The server would end the connection for its size.
            ConnectionError: The socket was lost before the answer.
        """
        await self._pace()
        socket = self._socket
        if socket is None:
            raise ConnectionResetError("not connected")
        data = encode(command)
        if len(data) > self._limits.frame_bytes:
            raise TooLarge(
                f"A frame may have at most {self._limits.frame_bytes} bytes.",
                details={"frame_bytes": self._limits.frame_bytes},
            )
        id_ = cast("int", command.id)
        answer: asyncio.Future[Ack | Subscribed | Authenticated] = (
            asyncio.get_running_loop().create_future()
        )
        self._waiting[id_] = answer
        try:
            await socket.write_message(data.decode())
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await answer
        except WebSocketClosedError:
            raise ConnectionResetError("the socket closed") from None
        except TimeoutError:
            self._drop_socket()
            raise ConnectionAbortedError("the server does not answer") from None
        finally:
            self._waiting.pop(id_, None)

    # inside

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

    async def _connect(self) -> asyncio.Task[None]:
        """Open and authenticate a socket; return the task that reads it."""
        token = (await self.http.request("POST", "token"))["token"]
        url = self.http.address.api.replace("http", "ws", 1) + "ws"
        request = HTTPRequest(url, headers=self.http.headers, connect_timeout=15)
        try:
            socket = await websocket_connect(
                request,
                subprotocols=[PROTOCOL],
                max_message_size=LARGEST_FRAME_BYTES,
                ping_interval=20,
                ping_timeout=20,
            )
        except HTTPClientError as error:
            refused = f"The server refused the socket with {error.code}."
            if error.code in (401, 403):
                raise AuthenticationError(refused) from None
            raise ConnectError(refused) from None
        except OSError as error:
            raise ConnectError(f"The socket cannot be opened: {error}") from None
        self._socket = socket
        reader = asyncio.get_running_loop().create_task(
            self._read(socket), name="streamchat client reader"
        )
        try:
            await self.command(
                Authenticate(id=self.next_id(), token=token, client=self._description)
            )
        except ConnectionError as error:
            reader.cancel()
            raise ConnectError(str(error)) from None
        self._open.set()
        return reader

    async def _keep_connected(self, reader: asyncio.Task[None]) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            try:
                await asyncio.wait({reader})
            finally:
                reader.cancel()
            self._open.clear()
            self._fail_waiting()
            while True:
                await asyncio.sleep(random.uniform(0, delay_s))  # noqa: S311 - jitter
                try:
                    reader = await self._connect()
                    for conversation in tuple(self._conversations.values()):
                        await self._resubscribe(conversation)
                except AuthenticationError as error:
                    self._end(error)
                    return
                except (StreamchatError, ConnectionError):
                    self._drop_socket()
                    delay_s = min(MOST_DELAY_S, delay_s * 2)
                else:
                    delay_s = FIRST_DELAY_S
                    break

    async def _read(self, socket: WebSocketClientConnection) -> None:
        while True:
            data = await socket.read_message()
            if data is None:
                break
            raw = data.encode() if isinstance(data, str) else data
            try:
                await self._take(decode_frame(raw))
            except BadFrame:
                socket.close(CloseCode.BAD_FRAME)
                break
        if self._socket is socket:
            self._drop_socket()
        code = socket.close_code
        meaning = CLOSE_CODES.get(CloseCode(code)) if code in set(CloseCode) else None
        if meaning is not None and not meaning.reconnect and code != CloseCode.NORMAL:
            self._end(ConnectError(f"The server closed: {meaning.meaning}."))

    async def _take(self, frame: Frame | Event | UnknownEvent) -> None:
        match frame:
            case Ack() | Subscribed() | Authenticated():
                if isinstance(frame, Subscribed):
                    self._with(frame.conversation, lambda c: c.take_subscribed(frame))
                self._resolve(frame.re, frame)
            case ErrorFrame():
                self._reject(frame)
            case Snapshot():
                self._with(frame.conversation, lambda c: c.take_snapshot(frame))
            case Live():
                self._with(frame.conversation, lambda c: c.take_live(frame))
            case Unsubscribed():
                self._lose(frame.conversation, _ended(frame))
            case TokenExpiring():
                await self._refresh_token()
            case Hello():
                self._limits = frame.limits
            case Pong() | GoingAway():
                pass
            case _:
                self._take_event(frame)

    def _take_event(self, frame: Event | UnknownEvent) -> None:
        conversation = self._conversations.get(frame.conversation)
        if conversation is not None and not conversation.take_event(frame):
            self._own(self._mend(conversation))

    def _with(self, id_: str, take: Callable[[ClientConversation], None]) -> None:
        conversation = self._conversations.get(id_)
        if conversation is not None:
            take(conversation)

    def _resolve(
        self, re: int | str | None, answer: Ack | Subscribed | Authenticated
    ) -> None:
        waiting = self._waiting.get(cast("int", re))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _reject(self, frame: ErrorFrame) -> None:
        waiting = self._waiting.get(cast("int", frame.re))
        if waiting is not None and not waiting.done():
            waiting.set_exception(error_from(frame))

    async def _subscribe(self, conversation: ClientConversation) -> None:
        await self.command(
            Subscribe(
                id=self.next_id(),
                conversation=conversation.id,
                since=conversation.cursor,
            )
        )

    async def _resubscribe(self, conversation: ClientConversation) -> None:
        try:
            await self._subscribe(conversation)
        except NotFound as error:
            self._lose(conversation.id, error)

    async def _mend(self, conversation: ClientConversation) -> None:
        with contextlib.suppress(StreamchatError, ConnectionError):
            await self._resubscribe(conversation)

    def _lose(self, id_: str, error: StreamchatError) -> None:
        """Forget a conversation that is no more, and tell who waits for it."""
        conversation = self._conversations.pop(id_, None)
        if conversation is not None:
            conversation.take_failure(error)

    async def _refresh_token(self) -> None:
        """Ask for a fresh token; a failure shows when the old one ends."""

        async def refresh() -> None:
            with contextlib.suppress(StreamchatError, ConnectionError):
                token = (await self.http.request("POST", "token"))["token"]
                await self.command(Authenticate(id=self.next_id(), token=token))

        self._own(refresh())

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drop_socket(self) -> None:
        socket, self._socket = self._socket, None
        self._open.clear()
        if socket is not None:
            socket.close()
        self._fail_waiting()

    def _fail_waiting(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the connection was lost"))

    def _end(self, error: StreamchatError) -> None:
        for conversation in self._conversations.values():
            conversation.take_failure(error)


def _lost() -> ConnectError:
    return ConnectError("The connection to the server was lost; try again.")


def _ended(frame: Unsubscribed) -> StreamchatError:
    if frame.reason == "deleted":
        return NotFound("The conversation was deleted.")
    return ConnectError("The server cannot go on with this conversation; open it anew.")
