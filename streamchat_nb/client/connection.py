"""How a client stays connected: the best transport that gets through, for good.

The WebSocket is tried first; when it fails twice, or stays silent although the server
answers, server-sent events; when those do not get through either, plain requests.
Beside a worse transport the better ones are tried every minute. A connection that
breaks is made again after a growing, random pause, and every conversation goes on from
its cursor.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import weakref
from typing import TYPE_CHECKING, Literal, TypeVar

from streamchat_nb.client.agent_lender import AgentLender
from streamchat_nb.client.back_off import pause_s
from streamchat_nb.client.followed_log import FollowedLog
from streamchat_nb.client.poll_session import PollSession
from streamchat_nb.client.session import (
    Session,
    Transport,
    TransportBlocked,
    needs_socket,
)
from streamchat_nb.client.socket_session import SocketSession
from streamchat_nb.client.stream_session import StreamSession
from streamchat_nb.client.tool_lender import ToolLender
from streamchat_nb.errors import (
    AuthenticationError,
    ConnectError,
    StreamchatError,
    Unavailable,
    UsageError,
)
from streamchat_nb.protocol.frames import CancelAgent, RunAgent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.client.command_requests import ConversationCommand
    from streamchat_nb.client.http import HttpApi
    from streamchat_nb.client.session import SocketToken
    from streamchat_nb.protocol.commands import ClientDescription, LendingCommand
    from streamchat_nb.protocol.frames import Ack, LentFrame
    from streamchat_nb.tools.tool import Tool

__all__ = ["Connection"]

STEADY_S = 5.0
PROBE_S = 60.0
RETRY_S = 2.0
COMMAND_TIMEOUT_S = 60.0
MOST_FOLLOWED = 16
SOCKET_ATTEMPTS = 2

Result = TypeVar("Result")

_TRANSPORTS: tuple[Transport, ...] = ("websocket", "sse", "rest")
_SESSIONS = {
    "websocket": SocketSession,
    "sse": StreamSession,
    "rest": PollSession,
}


class Connection:
    """Keeps one session open, and the conversations of a client on it.

    Args:
        http: The server.
        description: Who connects.
        transport: The one transport to use; ``auto`` for the best that gets through.

    Attributes:
        lender: Lends functions of this process to conversations.
        agent_lender: Lends agents of this process, likewise.
    """

    def __init__(
        self,
        http: HttpApi,
        description: ClientDescription,
        *,
        transport: Literal["auto", "websocket", "sse", "rest"],
    ) -> None:
        self.http = http
        self.description = description
        self.socket_token: SocketToken | None = None
        self._order: tuple[Transport, ...] = (
            _TRANSPORTS if transport == "auto" else (transport,)
        )
        self._trying: Transport = self._order[0]
        self._settled: Transport = self._order[0]
        self._obstacles: dict[Transport, str] = {}
        self._socket_failures = 0
        self._attempt = 0
        self._session: Session | None = None
        self._failure: StreamchatError | None = None
        self._problem = "It was not opened yet."
        self._is_ready = asyncio.Event()
        self._opening = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._logs: weakref.WeakValueDictionary[str, FollowedLog] = (
            weakref.WeakValueDictionary()
        )
        self._followed: dict[str, FollowedLog] = {}
        self._ids = itertools.count(1)
        self.lender = ToolLender(self)
        self.agent_lender = AgentLender(self)

    # state

    @property
    def transport(self) -> Transport | None:
        """The transport in use; ``None`` while there is no connection."""
        return None if self._session is None else self._session.transport

    @property
    def reason(self) -> str:
        """Why it is this transport, or none, in a sentence for people."""
        match self.transport:
            case None:
                return f"Not connected. {self._problem}"
            case "websocket":
                return "An open WebSocket brings every event as it comes."
            case "sse":
                text = "An HTTP stream brings every event as it comes."
            case "rest":
                text = "The server is asked for news again and again."
        return " ".join([text, *self._obstacles.values()])

    # life

    async def open(self) -> None:
        """Connect; later losses are mended by themselves. Idempotent.

        Raises:
            ConnectError: The server cannot be reached.
            AuthenticationError: It refused us.
        """
        async with self._opening:
            if self._keeper is not None and not self._keeper.done():
                return
            self._failure = self.socket_token = None
            self._is_ready.clear()
            self._socket_failures = self._attempt = 0
            self._trying = self._settled = self._order[0]
            await self._connect(patiently=False)
            self._keeper = asyncio.get_running_loop().create_task(
                self._keep_connected(), name="streamchat client"
            )

    async def close(self) -> None:
        """Disconnect and release who waits. Idempotent."""
        session, self._session = self._session, None
        self._end(ConnectError("This client was closed.", retryable=False))
        tasks = [*self._tasks, *([] if self._keeper is None else [self._keeper])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lender.close()
        await self.agent_lender.close()
        if session is not None:
            await session.close()

    def log(self, id_: str) -> FollowedLog:
        """Return the log of a conversation; all its users share it."""
        known = self._logs.get(id_)
        if known is None or known.failure is not None:
            known = FollowedLog(id_, self)
            self._logs[id_] = known
        return known

    async def follow(self, log: FollowedLog) -> None:
        """Deliver a conversation from now on, over reconnects too.

        Returns when that has begun, or at once without a connection. Where many are
        followed, the ones that nobody relies on are delivered no more.

        Raises:
            StreamchatError: The connection has ended for good.
        """
        async with log.following:
            self._check_open()
            known = self._followed.pop(log.id, None)
            await self._unfollow_idle()
            self._followed[log.id] = log
            if known is not None or self._session is None:
                return
            try:
                await self._follow_or_end(self._session, log)
            except asyncio.CancelledError:
                self._followed.pop(log.id, None)
                raise

    async def perform(self, command: ConversationCommand) -> Ack:
        """Carry out a command, as ``persist`` does."""
        return await self.persist(lambda session: session.perform(command))

    async def persist(self, attempt: Callable[[Session], Awaitable[Result]]) -> Result:
        """Try something over reconnects until the server answers.

        Args:
            attempt: Does it; it must do no harm to do it twice.

        Raises:
            StreamchatError: The server refused it.
            ConnectError: No answer for 60 s.
        """
        self._check_open()
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                return await self._persist(attempt)
        except TimeoutError:
            raise ConnectError(
                f"The server did not take it in {COMMAND_TIMEOUT_S:g} s. "
                f"{self.reason} What was sent may have arrived; the same "
                "client_message_id does not send it twice."
            ) from None

    async def _persist(self, attempt: Callable[[Session], Awaitable[Result]]) -> Result:
        while True:
            await self._is_ready.wait()
            session = self._session
            if session is None:
                raise self._failure or ConnectError("This client was closed.")
            try:
                return await attempt(session)
            except ConnectError:
                pass  # it may not have arrived
            except Unavailable as error:
                if error.code != Unavailable.default_code:
                    raise
                # The server stops; the next one takes it.
            await asyncio.wait({session.ended}, timeout=RETRY_S)

    # what sessions ask for

    def next_id(self) -> int:
        """Return a fresh command id."""
        return next(self._ids)

    def gone(self, log: FollowedLog, error: StreamchatError) -> None:
        """Forget a conversation that is no more, and tell who waits for it."""
        self._followed.pop(log.id, None)
        log.take_failure(error)

    async def tell(self, command: LendingCommand) -> Ack | None:
        """Say something about what is lent, over the socket there is now.

        Raises:
            ConnectError: There is none, or it was lost.
            StreamchatError: The server refused it.
        """
        if self._session is None:
            raise needs_socket()
        return await self._session.tell(command)

    async def lend(self, conversation: str, tools: Iterable[Tool]) -> None:
        """Lend tools to a conversation, as ``ToolLender.lend``."""
        await self.lender.lend(conversation, tools)

    async def lend_agents(self, conversation: str, agents: Iterable[Agent]) -> None:
        """Lend agents to a conversation, as ``AgentLender.lend``."""
        await self.agent_lender.lend(conversation, agents)

    def lent_tools(self, conversation: str) -> list[Tool]:
        """Return the functions that are lent to a conversation."""
        return self.lender.tools(conversation)

    def called(self, frame: LentFrame) -> None:
        """Let a function or an agent run that is lent, or stop it."""
        match frame:
            case RunAgent() | CancelAgent():
                self.agent_lender.take(frame)
            case _:
                self.lender.take(frame)

    def interrupted(
        self,
        session: Session,
        log: FollowedLog,
        *,
        at_once: bool = False,
    ) -> None:
        """Follow a conversation again, soon or now."""
        log.pause()
        pause_s = 0.0 if at_once else RETRY_S
        self._own(self._follow_again(session, log, pause_s))

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow_again(
        self, session: Session, log: FollowedLog, pause_s: float
    ) -> None:
        await asyncio.sleep(pause_s)
        if self._followed.get(log.id) is log and not session.ended.done():
            await self._follow_or_end(session, log)

    # following

    async def _follow_or_end(self, session: Session, log: FollowedLog) -> None:
        """Follow on a session; where that is lost, the next one will follow."""
        try:
            await self._follow_on(session, log)
        except StreamchatError as error:
            if not session.ended.done():
                session.ended.set_result(error)

    async def _follow_on(self, session: Session, log: FollowedLog) -> None:
        """Follow on a session.

        Raises:
            ConnectError: The session is lost.
            AuthenticationError: So is everything.
        """
        try:
            await session.follow(log)
        except (ConnectError, AuthenticationError):
            raise
        except StreamchatError as error:
            if error.retryable:
                self.interrupted(session, log)
            else:
                self.gone(log, error)

    async def _unfollow_idle(self) -> None:
        """Make room for one more, where nobody relies on those that are followed."""
        idle = [log for log in self._followed.values() if not log.is_held]
        for log in idle[: max(0, len(self._followed) + 1 - MOST_FOLLOWED)]:
            del self._followed[log.id]
            log.pause()
            if self._session is not None:
                await self._session.unfollow(log)

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._keeper is None:
            raise UsageError("Open the client first: async with connect() as client.")

    # connecting

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                since = loop.time()
                failure = await self._until_lost()
                if loop.time() - since >= STEADY_S:
                    self._attempt = 0
                if not failure.retryable:
                    raise failure
                await self._wait(failure)
                await self._connect(patiently=True)
        except StreamchatError as error:
            self._end(error)

    async def _until_lost(self) -> StreamchatError:
        """Look for a better transport every minute; return why the session ended."""
        while (session := self._session) is not None:
            better = self._order[: self._order.index(session.transport)]
            await asyncio.wait({session.ended}, timeout=PROBE_S if better else None)
            if session.ended.done():
                self._session = None
                self._is_ready.clear()
                for log in self._followed.values():
                    log.pause()
                await session.close()
                return session.ended.result()
            for transport in better:
                with contextlib.suppress(StreamchatError):
                    await self._establish(transport)
                    break
        return ConnectError("There is no session.")

    async def _connect(self, *, patiently: bool) -> None:
        """Establish a session by whatever transport gets through.

        Args:
            patiently: Whether to try until there is one.

        Raises:
            StreamchatError: It is of no use to try again, or nobody is that patient.
        """
        while True:
            kept = self.socket_token
            try:
                await self._establish(self._trying)
            except StreamchatError as error:
                failure = error
            else:
                return
            if kept is not None and self.socket_token is None:
                continue  # at once, with a fresh token
            if isinstance(failure, TransportBlocked) and self._fall_back(failure):
                continue
            if not isinstance(failure, TransportBlocked):
                self._trying = self._settled
            if not patiently or not failure.retryable:
                raise failure
            await self._wait(failure)

    def _fall_back(self, obstacle: TransportBlocked) -> bool:
        """Choose what to try next; returns whether there is anything."""
        self._obstacles[self._trying] = obstacle.message
        if self._trying == "websocket":
            self._socket_failures += 1
            # After a long silence nobody should have to wait for a second one.
            if self._socket_failures < SOCKET_ATTEMPTS and not obstacle.slow:
                return True
        place = self._order.index(self._trying) + 1
        if place == len(self._order):
            return False
        self._trying = self._order[place]
        return True

    async def _establish(self, transport: Transport) -> None:
        """Open a session, follow everything on it, and only then let the old one go."""
        session: Session = _SESSIONS[transport](self)
        try:
            await session.open()
            done: set[FollowedLog] = set()
            while rest := set(self._followed.values()) - done:
                done |= rest
                for log in rest:
                    await self._follow_on(session, log)
        except BaseException:
            await session.close()
            raise
        old, self._session = self._session, session
        self._trying = self._settled = transport
        self._obstacles = {
            blocked: why
            for blocked, why in self._obstacles.items()
            if self._order.index(blocked) < self._order.index(transport)
        }
        if transport == "websocket":
            self._socket_failures = 0
        self._is_ready.set()
        if transport == "websocket":
            self._own(self.lender.resume())
            self._own(self.agent_lender.resume())
        if old is not None:
            await old.close()

    async def _wait(self, failure: StreamchatError) -> None:
        """Wait, longer each time and at random, but as long as the server asks for."""
        self._problem = f"{failure.message} It is tried again."
        pause = pause_s(self._attempt, least_s=(failure.retry_after_ms or 0) / 1000)
        self._attempt += 1
        await asyncio.sleep(pause)

    def _end(self, failure: StreamchatError) -> None:
        self._failure = failure
        self._problem = failure.message
        for log in self._followed.values():
            log.take_failure(failure)
        self._followed.clear()
        self._is_ready.set()
