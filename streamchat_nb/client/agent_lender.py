"""Lending agents to conversations: each run is taken once, and told in order.

The agents run on a thread and an event loop of their own, never on the client's: an
agent that is slow or blocks does not keep the client from hearing of a cancel, and a
busy cell does not stop an agent. What an agent says while one batch is on its way goes
into the next, so that batches grow with the load and need no timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from streamchat_nb.client.loop_thread import LoopThread
from streamchat_nb.errors import ConnectError, StreamchatError, TooLarge
from streamchat_nb.protocol.commands import (
    AcceptAgent,
    AgentOffer,
    Cursor,
    FinishAgent,
    OfferAgents,
    ReportAgent,
)
from streamchat_nb.protocol.content import DocumentBlock, ErrorBody, ImageBlock
from streamchat_nb.protocol.frames import CancelAgent, RunAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.client.agent_run import AgentRun
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.http import HttpApi
    from streamchat_nb.conversation.artifacts import Artifact
    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.commands import LendingCommand
    from streamchat_nb.protocol.frames import Ack
    from streamchat_nb.tools.tool import Tool

__all__ = ["AgentLender", "AgentLine"]

logger = logging.getLogger(__name__)

MOST_HISTORY_BYTES = 25_165_824
"""Of all attached files, so much goes to an agent, the newest first."""
LOST_S = 60.0
"""How long what could not be sent waits for another connection."""
_MOST_DESCRIPTION_CHARACTERS = 500
_MOST_MODEL_CHARACTERS = 200


class AgentLine(Protocol):
    """What a lender needs of its connection."""

    @property
    def http(self) -> HttpApi:
        """The server."""
        ...

    def next_id(self) -> int:
        """Return a fresh command id."""
        ...

    def log(self, id_: str) -> FollowedLog:
        """Return the log of a conversation; all its users share it."""
        ...

    def lent_tools(self, conversation: str) -> list[Tool]:
        """Return the functions that this client lends to a conversation."""
        ...

    async def tell(self, command: LendingCommand) -> Ack | None:
        """Send a command over the socket and return its answer, if it has one.

        Raises:
            ConnectError: There is no socket now, or it was lost.
            StreamchatError: The server refused it.
        """
        ...


class AgentLender:
    """Lends agents to conversations over one connection. On the client's loop.

    Args:
        line: The connection.
    """

    def __init__(self, line: AgentLine) -> None:
        self._line = line
        self._agents: dict[str, dict[str, Agent]] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._sockets = 0
        self._connected = asyncio.Event()
        self._thread: LoopThread | None = None

    async def lend(self, conversation: str, agents: Iterable[Agent]) -> None:
        """Lend agents to a conversation, in place of those lent before.

        What runs goes on. Where there is no socket now, they are lent once there is.

        Raises:
            StreamchatError: The server does not take them; those before stay.
        """
        before = self._agents.get(conversation, {})
        self._agents[conversation] = {agent.name: agent for agent in agents}
        try:
            with contextlib.suppress(ConnectError):  # ``resume`` will
                await self._offer(conversation)
        except StreamchatError:
            self._agents[conversation] = before
            raise

    async def resume(self) -> None:
        """Lend everything anew, and send what was not; call it for each new socket."""
        for conversation in tuple(self._agents):
            with contextlib.suppress(StreamchatError):
                await self._offer(conversation)
        self._sockets += 1
        self._connected.set()

    def take(self, frame: RunAgent | CancelAgent) -> None:
        """Take a frame of the server; returns at once."""
        known = self._runs.get(frame.lease)
        if isinstance(frame, CancelAgent):
            if known is not None:
                known.cancel()
        elif known is None:  # else it goes on with what was not acknowledged
            task = asyncio.get_running_loop().create_task(self._serve(frame))
            self._runs[frame.lease] = task
            task.add_done_callback(lambda _: self._runs.pop(frame.lease, None))

    async def close(self) -> None:
        """Stop what runs, and the thread of the agents. Idempotent."""
        tasks = list(self._runs.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.stop)

    async def _offer(self, conversation: str) -> None:
        offers = [
            AgentOffer(
                name=agent.name,
                description=agent.description[:_MOST_DESCRIPTION_CHARACTERS],
                model=agent.model_name[:_MOST_MODEL_CHARACTERS],
                offline=agent.offline,
            )
            for agent in self._agents[conversation].values()
        ]
        await self._line.tell(
            OfferAgents(
                id=self._line.next_id(), conversation=conversation, agents=offers
            )
        )

    # one run

    async def _serve(self, frame: RunAgent) -> None:
        """Take a run, let the agent answer once the server agrees, and tell all."""
        lease = {
            "conversation": frame.conversation,
            "turn": frame.turn,
            "lease": frame.lease,
        }
        agent = self._agents.get(frame.conversation, {}).get(frame.agent)
        try:
            await self._persist(lambda id_: AcceptAgent(id=id_, **lease))
            if agent is None:
                error = _absent(frame.agent)
            else:
                error = await self._answer(agent, frame, lease)
            await self._persist(lambda id_: FinishAgent(id=id_, error=error, **lease))
        except (StreamchatError, TimeoutError) as problem:
            # Not ours any more, or the server is gone: nobody waits for it.
            logger.debug("A run of an agent is over: %s", problem)

    async def _answer(
        self, agent: Agent, frame: RunAgent, lease: dict[str, str]
    ) -> ErrorBody | None:
        """Let the agent answer and tell what it says; returns why it failed, if so.

        Raises:
            StreamchatError: The server does not want to hear it.
        """
        from streamchat_nb.client.agent_run import AgentRun  # noqa: PLC0415 - when used

        log = self._line.log(frame.conversation)
        await log.reached(Cursor(log=frame.log, seq=frame.seq))
        run = AgentRun(
            frame,
            log,
            tools=self._line.lent_tools(frame.conversation),
            files=await self._files_of(frame.conversation, log.state),
        )
        if self._thread is None:
            self._thread = LoopThread("streamchat agents")
        run.start(agent, self._thread)
        try:
            await self._tell_all(run, lease)
        except TooLarge:
            return ErrorBody(
                code="agent_too_large",
                message=f"The agent {frame.agent} said something larger than what this "
                "server takes in one frame.",
            )
        finally:
            run.stop()
        return run.failure

    async def _tell_all(self, run: AgentRun, lease: dict[str, str]) -> None:
        """Tell what an agent says until it has ended."""
        number = 0
        while events := await run.batch():
            number += 1
            report = partial(ReportAgent, number=number, events=events, **lease)
            ack = await self._persist(lambda id_, report=report: report(id=id_))
            result = (None if ack is None else ack.result) or {}
            run.acknowledge(is_superseded=result.get("superseded") is True)

    async def _persist(self, command: Callable[[int], LendingCommand]) -> Ack | None:
        """Tell something until the server has answered, over reconnects.

        Raises:
            StreamchatError: The server refused it.
            TimeoutError: There is no server for a minute.
        """
        while True:
            socket = self._sockets
            try:
                return await self._line.tell(command(self._line.next_id()))
            except ConnectError:
                async with asyncio.timeout(LOST_S):
                    while self._sockets == socket:
                        self._connected.clear()
                        await self._connected.wait()

    async def _files_of(
        self, conversation: str, state: ConversationState
    ) -> dict[str, Artifact]:
        """Return the files of a conversation's messages by id, the newest that fit.

        One that cannot be had is left out: a note stands for it.
        """
        from streamchat_nb.conversation.artifacts import Artifact  # noqa: PLC0415

        found: dict[str, Artifact] = {}
        size = 0
        blocks = [
            b.content for m in state.messages if m.role == "user" for b in m.blocks
        ]
        for block in reversed(blocks):
            if not isinstance(block, ImageBlock | DocumentBlock):
                continue
            path = f"conversations/{conversation}/artifacts/{quote(block.artifact)}"
            with contextlib.suppress(StreamchatError):
                data = await self._line.http.download(path)
                size += len(data)
                if size > MOST_HISTORY_BYTES:
                    break
                name = block.alt if isinstance(block, ImageBlock) else block.title
                found[block.artifact] = Artifact(
                    id=block.artifact,
                    name=name or "file",
                    media_type=block.media_type,
                    data=data,
                )
        return found


def _absent(name: str) -> ErrorBody:
    return ErrorBody(
        code="agent_absent",
        message=f"The kernel does not lend an agent {name!r} any more; run its cell "
        "again, or choose another agent.",
        retryable=True,
    )
