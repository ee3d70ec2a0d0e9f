"""The WebSocket: a socket around ``ConnectionMachine`` and ``Delivery``."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, assert_never, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler
from typing_extensions import override

from streamchat_nb._version import __version__
from streamchat_nb.errors import (
    Forbidden,
    InvalidInput,
    RateLimited,
    StreamchatError,
)
from streamchat_nb.protocol.close_codes import CloseCode
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.commands import (
    Approve,
    Cancel,
    ClientDescription,
    EditQueued,
    Ping,
    SelectBranch,
    Send,
    SendNow,
    Subscribe,
    Unsubscribe,
)
from streamchat_nb.protocol.connection import (
    FEATURES,
    PROTOCOL,
    CloseSocket,
    ConnectionMachine,
    Identity,
    Output,
    Perform,
    SendFrame,
    VerifyToken,
    error_frame,
)
from streamchat_nb.protocol.events import ToolApprovalResolved
from streamchat_nb.protocol.frames import Ack, CallTool, GoingAway, Pong, RunAgent
from streamchat_nb.protocol.short_deltas import SHORT_DELTAS
from streamchat_nb.server.base import RESOURCE, Runtime, allowed_methods
from streamchat_nb.server.connections import bound_send_buffer
from streamchat_nb.server.delivery import Delivery
from streamchat_nb.server.identity import origin_is_ours, principal_of
from streamchat_nb.server.lending import Lending
from streamchat_nb.server.presence import participant_of
from streamchat_nb.server.socket_outlet import SocketOutlet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.protocol.commands import LendingCommand
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.server.principal import Principal
    from streamchat_nb.server.service import Service

__all__ = ["SocketHandler"]

LAST_WORDS_S = 0.2
CLOSED_S = 0.2
CLOSE_REASON_BYTES = 120


# Their bases disagree on check_origin and prepare; the order is the one that makes
# Jupyter's identity come first.
class SocketHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """``GET api/ws``, subprotocol ``streamchat.v1``."""

    @override
    def initialize(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._connections = runtime.connections
        self._id = secrets.token_hex(8)
        self._outlet = SocketOutlet(self)
        self._delivery = Delivery(self._outlet, self._join)
        self._lending: Lending | None = None
        self._machine: ConnectionMachine | None = None
        self._sender: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed: asyncio.Event | None = None
        self._answers = True
        self._speaks = True
        self._refusal: StreamchatError | None = None

    # who

    @property
    def service(self) -> Service:
        """The service."""
        return self._runtime.service

    @property
    def principal(self) -> Principal:
        """The Jupyter identity of the upgrade request."""
        return principal_of(self)

    @property
    def address(self) -> str:
        """Where the connection comes from."""
        return self.request.remote_ip or ""

    # the upgrade

    @override
    def set_default_headers(self) -> None:
        """Send none: an upgrade has no body."""

    @override
    def set_cors_headers(self) -> None:
        """Send none: the socket is for this origin."""

    @override
    def set_secure_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Set none: who shows the server's token has it, and a page has its cookie."""

    @override
    def check_origin(self, origin: str = "") -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return whether the Origin is ours, whatever the credential."""
        return origin_is_ours(self)

    @override
    async def get(self, *args: str, **kwargs: str) -> None:
        """Upgrade, for an identity that may chat.

        Not ``web.authenticated``: a redirect to a login page means nothing here.
        """
        if self.current_user is None:
            raise Forbidden("Log in to this server first.", code="auth_required")
        await self._admit()
        await WebSocketHandler.get(self, *args, **kwargs)

    @cast("Any", authorized)(action="execute", resource=RESOURCE)
    async def _admit(self) -> None:
        if self.get_query_argument("token", None) is not None:
            raise Forbidden("A token in the address is refused; send a header.")
        try:
            await self._runtime.ready()
            self._connections.admit(self.principal.id, self.address)
        except StreamchatError as error:
            # A browser does not tell a page why an upgrade was refused: the page is
            # told on the socket. Other clients see the answer.
            if self.request.headers.get("Origin") is None:
                raise
            self._refusal = error

    @override
    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, StreamchatError):
            self.set_status(error.http_status)
            self.finish(error.message)  # pyright: ignore[reportUnknownMemberType]
        else:
            if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                self.set_header("Allow", allowed_methods(self))
            self.finish(f"{status_code}: {self._reason}")  # pyright: ignore[reportUnknownMemberType]

    @override
    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, StreamchatError):
            self.log.info("%s: %s", self.request.path, value.code)
        else:
            super().log_exception(typ, value, tb)

    @override
    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        self._speaks = PROTOCOL in subprotocols
        return PROTOCOL if self._speaks else None

    @property
    @override
    def max_message_size(self) -> int:
        return self.service.settings.limits.frame_bytes

    @property
    @override
    def ping_interval(self) -> float:
        """No pings by Tornado, nor by Jupyter: the heartbeat does them for all."""
        return 0.0

    # life

    @override
    def open(self, *args: str, **kwargs: str) -> None:
        """Greet, start the sender and the clock."""
        self.set_nodelay(True)
        bound_send_buffer(self._outlet.stream)
        loop = asyncio.get_running_loop()
        if self._refusal is not None:
            self._refuse(_close_code_of(self._refusal), self._refusal)
            return
        settings = self.service.settings
        self._machine = ConnectionMachine(
            connection=self._id,
            server=f"streamchat_nb/{__version__}",
            limits=settings.limits,
            authenticate_timeout_s=settings.authenticate_timeout_s,
            features=list(FEATURES),
            now=loop.time(),
        )
        self._connections.add_socket(self, user=self.principal.id, address=self.address)
        self._runtime.heartbeat.add(self)
        if not self._speaks:
            self._refuse(
                CloseCode.VERSION,
                InvalidInput(f"This server speaks {PROTOCOL} only."),
            )
            return
        self._carry_out(self._machine.start())
        self._set_timer()

    @override
    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Take one frame; the next one is read when this one is answered."""
        if self._machine is None:
            return None
        now = asyncio.get_running_loop().time()
        match self._machine.receive(message, now):
            case [Perform() as perform]:
                return self._perform(perform)
            case outputs:
                self._carry_out(outputs)
                self._set_timer()
                return None

    @override
    def on_pong(self, data: bytes) -> None:
        """The peer is there."""
        self._answers = True

    def beat(self) -> None:
        """Ping the peer; close where it has not answered the last ping."""
        if self.is_closed:
            return
        if not self._answers:
            self.close(reason="ping timed out")
            return
        self._answers = False
        try:
            self.ping()
        except (WebSocketClosedError, StreamClosedError):
            self._abort()

    @override
    def on_close(self) -> None:
        """Let go of everything."""
        if self._machine is not None:
            self._machine.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._sender is not None:
            self._sender.cancel()
        if self._lending is not None:
            self._lending.close()
        self._delivery.close()
        self._connections.discard(self)
        self._runtime.heartbeat.discard(self)
        if self._closed is not None:
            self._closed.set()

    async def go_away(self, retry_after_ms: int) -> None:
        """Give the reader what is left, say that the server restarts, close with 1012.

        Takes 0.6 s at most, whether or not the peer reads.
        """
        self._closed = asyncio.Event()
        if self._machine is not None:
            self._machine.close()
        if self._sender is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._delivery.caught_up(), LAST_WORDS_S)
        self._say(GoingAway(retry_after_ms=retry_after_ms))
        await self._close_after_last_words(CloseCode.RESTART, "the server restarts")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), CLOSED_S)

    # what the machine asks for

    def _refuse(self, code: CloseCode, error: StreamchatError) -> None:
        self._carry_out(
            [SendFrame(error_frame(error, None)), CloseSocket(code, error.message)]
        )

    def _carry_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case SendFrame(frame):
                    self._say(frame)
                case CloseSocket(code, reason):
                    self._delivery.close()
                    self._closing = asyncio.get_running_loop().create_task(
                        self._close_after_last_words(code, reason)
                    )
                case VerifyToken():
                    self._carry_out(self._verify(output))
                case Perform():
                    raise AssertionError("commands are performed by on_message")
                case _:
                    assert_never(output)

    def _verify(self, request: VerifyToken) -> list[Output]:
        machine = cast("ConnectionMachine", self._machine)
        loop = asyncio.get_running_loop()
        try:
            grant = self._runtime.tokens.verify(request.token)
        except StreamchatError as error:
            return machine.rejected(request.re, error)
        principal = self.principal
        if grant.subject != principal.id:
            error = Forbidden("The token belongs to another user.")
            return machine.rejected(request.re, error)
        self._connections.authenticated(self)
        self._outlet.is_short |= SHORT_DELTAS in request.features
        return machine.authenticated(
            request.re,
            identity=Identity(
                subject=grant.subject,
                user=principal.name,
                scopes=grant.scopes,
                exp=grant.exp,
                expires_in_s=grant.exp - time.time(),
            ),
            client=request.client,
            now=loop.time(),
        )

    async def _perform(self, perform: Perform) -> None:
        command = perform.command
        try:
            match command:
                case Subscribe():
                    await self._subscribe(command)
                case Unsubscribe():
                    self._delivery.unsubscribe(command.conversation)
                    self._say(Ack(re=command.id))
                case Send():
                    await self._send_message(command)
                case EditQueued() | SendNow() | SelectBranch() | Cancel():
                    self._say(Ack(re=command.id, seq=await self._steer(command)))
                case Approve():
                    await self._approve(command)
                case Ping():
                    heads = self._delivery.heads
                    self._say(Pong(re=command.id, heads=heads))
                case _:
                    await self._lend(command)
        except StreamchatError as error:
            if command.id is not None:
                self._say(error_frame(error, command.id))

    async def _subscribe(self, command: Subscribe) -> None:
        most = self.service.settings.limits.subscriptions
        if command.conversation not in self._delivery and len(self._delivery) >= most:
            raise RateLimited(f"A connection follows at most {most} conversations.")
        log = await self.service.open(self.principal, command.conversation)
        if self.is_closed:
            return
        self._start_sender()
        try:
            await self._delivery.subscribe(command.id, log, command.since)
        except ConnectionError:
            self._abort()

    def _join(
        self, conversation: str, tell: Callable[[bytes], None]
    ) -> Callable[[], None]:
        described = None if self._machine is None else self._machine.client
        client = described or ClientDescription(id=self._id)
        participant = participant_of(client, self.principal.name)
        return self._runtime.audiences.join(conversation, participant, tell)

    async def _steer(
        self, command: EditQueued | SendNow | SelectBranch | Cancel
    ) -> int:
        where = (self.principal, command.conversation)
        match command:
            case EditQueued(turn=turn, content=content):
                return await self.service.edit_queued(*where, turn, content)
            case SendNow(turn=turn):
                return await self.service.send_now(*where, turn)
            case SelectBranch(message=message):
                return await self.service.select_branch(*where, message)
            case Cancel(turn=turn, and_queued=and_queued):
                return await self.service.cancel(*where, turn, and_queued=and_queued)

    async def _lend(self, command: LendingCommand) -> None:
        described = None if self._machine is None else self._machine.client
        client = self._id if described is None else described.id
        if self._lending is None:
            self._lending = Lending(self.service, self._say_to_lender)
        ack = await self._lending.perform(self.principal, client, command)
        if ack is not None:
            self._say(ack)

    def _say_to_lender(self, frame: Frame) -> None:
        if self._machine is not None:
            match frame:
                case CallTool() | RunAgent():
                    self._machine.called()
                case Ack():
                    self._machine.called(1)  # now the agent's next batch may come
                case _:
                    pass
        self._say(frame)

    async def _approve(self, command: Approve) -> None:
        answer = ToolApprovalResolved(
            approval=command.approval,
            tool_call="",
            decision=command.decision,
            edited_input=command.edited_input,
            remember=command.remember,
            reason=command.reason,
        )
        seq = await self.service.approve(self.principal, command.conversation, answer)
        self._say(Ack(re=command.id, seq=seq, duplicate=seq is None))

    async def _send_message(self, command: Send) -> None:
        receipt = await self.service.send(
            self.principal,
            command.conversation,
            client_message_id=command.client_message_id,
            content=command.content,
            parent=command.parent,
            if_active=command.if_active,
            output_schema=command.output_schema,
        )
        self._say(
            Ack(
                re=command.id,
                seq=receipt.seq,
                duplicate=receipt.duplicate,
                result={"message": receipt.message, "turn": receipt.turn},
            )
        )

    # the socket

    @property
    def is_closed(self) -> bool:
        """Whether the socket is gone."""
        return self.ws_connection is None or self.ws_connection.is_closing()

    def _say(self, frame: Frame) -> None:
        """Answer: at once while there is no sender, else after what it has to send."""
        try:
            if self._sender is not None:
                self._delivery.send(frame)
            elif not self.is_closed and not self._outlet.write(encode(frame)):
                self._start_sender()
        except ConnectionError:
            self._abort()

    def _start_sender(self) -> None:
        """Have the task that writes, from the first time on that there is a need.

        Who follows nothing, and reads what it is told, takes none.
        """
        if self._sender is None:
            loop = asyncio.get_running_loop()
            self._sender = loop.create_task(self._send(), name="socket sender")

    async def _send(self) -> None:
        """Run the delivery; the one that writes from now on."""
        try:
            await self._delivery.run()
        except ConnectionError:
            self._abort()
        except StreamchatError as error:
            self.log.warning("A log could not be read: %s", error.message)
            self.close(CloseCode.INTERNAL_ERROR, "a log could not be read")

    def _abort(self) -> None:
        """End the connection at TCP: no close frame reaches a stalled reader."""
        if (stream := self._outlet.stream) is not None:
            stream.close()

    async def _close_after_last_words(self, code: CloseCode, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sender is not None:
            self._sender.cancel()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._outlet.taken()
                await self._delivery.drain()
        self.close(
            int(code), reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore")
        )

    def _set_timer(self) -> None:
        """Set the clock for the machine's deadline; one that rings before may stay."""
        deadline = None if self._machine is None else self._machine.deadline
        if self._timer is not None:
            if deadline is not None and self._timer.when() <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self.is_closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._machine is not None:
            loop = asyncio.get_running_loop()
            self._carry_out(self._machine.tick(loop.time()))
            self._set_timer()


def _close_code_of(error: StreamchatError) -> CloseCode:
    if isinstance(error, RateLimited):
        return CloseCode.RATE_LIMITED
    return CloseCode.OVERLOADED if error.retryable else CloseCode.INTERNAL_ERROR
