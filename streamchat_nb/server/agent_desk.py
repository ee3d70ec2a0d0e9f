"""Agents that clients lend to a conversation, and the turns that they answer.

The turn belongs to the server; the agent runs at the client, under a *lease*. The
client takes it (``agent.accept``), sends what the agent says in numbered batches, one
at a time, and then its end. What comes under a lease that is not current is not
written. A client that is gone and does not come back within a few seconds loses its
leases: a turn that had begun there fails and keeps what was seen, one that had not goes
to whoever lends the agent then.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.errors import Conflict, InvalidInput, StreamchatError
from streamchat_nb.protocol.events import ToolApprovalRequested, TurnStatus
from streamchat_nb.protocol.frames import Ack, AgentLimits, CancelAgent, RunAgent
from streamchat_nb.server.lent_events import LentEvents

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.commands import (
        AcceptAgent,
        AgentOffer,
        FinishAgent,
        ReportAgent,
    )
    from streamchat_nb.protocol.content import ErrorBody
    from streamchat_nb.protocol.events import ToolApprovalResolved
    from streamchat_nb.protocol.frames import Frame

__all__ = ["AgentDesk", "LentAgent"]

GONE_S = 3.0
"""How long a client may be away before it loses what it lends."""
LENT_AGAIN_S = 5.0
"""How long a turn waits for an agent that nobody lends just now."""
BUSY_SHOWN_S = 1.0
ENDED_LEASES = 256
_MOST_MESSAGE_CHARACTERS = 2_000


class LentAgent(Agent):
    """An agent that a client lends, or lent; its turns wait a little for it.

    Args:
        name: Its name.
        desk: Where it is lent.
    """

    def __init__(self, name: str, desk: AgentDesk) -> None:
        self.name = name
        self._desk = desk
        offer = desk.offer_of(name)
        if offer is not None:
            self.description = offer.description
            self.model_name = offer.model
            self.offline = offer.offline

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        async with aclosing(self._desk.run(self.name, turn)) as events:
            async for event in events:
                yield event


@dataclass(kw_only=True)
class _Lender:
    """A client and what it lends; ``say`` is ``None`` while it is away."""

    client: str
    offers: dict[str, AgentOffer]
    say: Callable[[Frame], None] | None
    removal: asyncio.TimerHandle | None = None


@dataclass(kw_only=True)
class _Batch:
    """What an agent said, checked, and the command that is to be acknowledged."""

    command: ReportAgent
    events: list[AgentEvent]


@dataclass(kw_only=True)
class _Run:
    """One lease. ``taken`` is the number of the last batch that was written."""

    client: str
    frame: RunAgent
    checked: LentEvents
    began: float = field(default_factory=time.monotonic)
    is_accepted: bool = False
    taken: int = 0
    batch: _Batch | None = None
    is_ended: bool = False
    failure: StreamchatError | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class AgentDesk:
    """The agents that clients lend to one conversation. On one event loop.

    Args:
        log: The conversation's log.
        tool_output_bytes: Largest tool output kept in an event.
    """

    def __init__(self, log: ConversationLog, *, tool_output_bytes: int) -> None:
        self._log = log
        self._tool_output_bytes = tool_output_bytes
        self._lenders: dict[str, _Lender] = {}
        self._runs: dict[str, _Run] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._lent_before: set[str] = set()
        self._changed = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Nobody lends anything."""
        return not self._lenders

    def offers(self) -> dict[str, AgentOffer]:
        """Return what is lent by name; of two with one name, the one lent last."""
        by_name: dict[str, AgentOffer] = {}
        for lender in self._lenders.values():
            by_name.update(lender.offers)
        return by_name

    def offer_of(self, name: str) -> AgentOffer | None:
        """Return what was said of an agent that is lent now."""
        return self.offers().get(name)

    # what clients say

    def offer(
        self,
        client: str,
        offers: list[AgentOffer],
        say: Callable[[Frame], None],
        *,
        taken: Collection[str],
    ) -> None:
        """Take what a client lends, in place of what it lent before.

        Args:
            client: Its id, the same after a reconnect.
            offers: The agents; none takes them all back.
            say: Sends a frame to the client, without waiting.
            taken: Names of the server's own agents.

        Raises:
            InvalidInput: Two agents share a name.
            Conflict: A name is one of the server's agents (``agent_name_taken``).
        """
        by_name = {offered.name: offered for offered in offers}
        if len(by_name) < len(offers):
            raise InvalidInput("Two agents have the same name; name them otherwise.")
        for name in by_name:
            if name in taken:
                raise Conflict(
                    f"The server has an agent called {name}; call yours otherwise.",
                    code="agent_name_taken",
                )
        known = self._lenders.pop(client, None)
        if known is not None and known.removal is not None:
            known.removal.cancel()
        if by_name or self._runs_of(client):
            self._lenders[client] = _Lender(client=client, offers=by_name, say=say)
        self._lent_before.update(by_name)
        self._changed.set()
        for run in self._runs_of(client):
            # It may have missed the run; it knows a lease that it has taken.
            say(run.frame)

    def leave(self, client: str, say: Callable[[Frame], None]) -> None:
        """Note that a client's connection is gone; it has 3 s to come back.

        Args:
            client: Its id.
            say: As given to ``offer``; of an older connection it changes nothing.
        """
        lender = self._lenders.get(client)
        if lender is None or lender.say != say:
            return
        lender.say = None
        loop = asyncio.get_running_loop()
        lender.removal = loop.call_later(GONE_S, self._remove, lender)

    def accept(self, client: str, command: AcceptAgent) -> None:
        """Note that a client has taken a run: the agent may begin now.

        Raises:
            Conflict: The lease is not current (``lease_lost``): let it not begin.
        """
        run = self._run_of(client, command.lease)
        run.is_accepted = True
        run.woken.set()

    def report(self, client: str, command: ReportAgent) -> Ack | None:
        """Take a batch; it is acknowledged later, when it is written.

        Returns:
            The answer, if the batch was written before.

        Raises:
            Conflict: The lease is not current (``lease_lost``), or the number is not
                the next one (``out_of_order``).
            InvalidInput: It says what is not in its place; the turn fails.
            TooLarge: The agent has said too much; the turn fails.
        """
        run = self._run_of(client, command.lease)
        if command.number <= run.taken:
            return Ack(re=command.id, duplicate=True)
        if run.batch is not None and run.batch.command.number == command.number:
            run.batch.command = command  # sent again: the new one is answered
            return None
        if run.batch is not None or command.number != run.taken + 1:
            raise Conflict(
                f"The next batch of this lease is {run.taken + 1}, after the answer to "
                "the one before.",
                code="out_of_order",
            )
        try:
            events = run.checked.take(command.events)
        except StreamchatError as error:
            self._fail(run, error)
            raise
        run.batch = _Batch(command=command, events=events)
        run.woken.set()
        return None

    def finish(self, client: str, command: FinishAgent) -> bool:
        """Take an agent's end; returns whether it was there before.

        Raises:
            Conflict: The lease is not current (``lease_lost``).
        """
        if command.lease in self._ended:
            return True
        run = self._run_of(client, command.lease)
        if run.is_ended:
            return True
        if command.error is not None:
            self._fail(run, _error_of(command.error))
        run.is_ended = True
        run.woken.set()
        return False

    # turns

    async def run(self, name: str, turn: Turn) -> AsyncGenerator[AgentEvent]:
        """Let whoever lends an agent answer a turn, and yield what it says.

        Closing the iterator tells the client to stop.

        Raises:
            StreamchatError: Nobody lends it (``agent_absent``), it was lost
                (``agent_lost``), or what it ended with.
        """
        while True:
            if self.offer_of(name) is None:
                label = f"Waiting for the kernel that lends {name}…"
                yield TurnStatus(phase="waiting_kernel", label=label)
            run = self._begin(await self._lender(name), name, turn)
            try:
                async with aclosing(self._events(run, turn)) as events:
                    async for event in events:
                        yield event
            finally:
                self._close(run)
            if run.is_ended:
                return

    async def _events(self, run: _Run, turn: Turn) -> AsyncGenerator[AgentEvent]:
        """Yield what is said under one lease, until its end or its loss."""
        approvals: set[asyncio.Future[ToolApprovalResolved]] = set()
        try:
            while True:
                async for status in self._until_woken(run, turn):
                    yield status
                if run.batch is not None:
                    for event in run.batch.events:
                        if isinstance(event, ToolApprovalRequested) and turn.approval:
                            # The time that a person has is measured here.
                            approvals.add(
                                asyncio.ensure_future(turn.approval(event.approval))
                            )
                        yield event
                    self._acknowledge(run, is_superseded=turn.is_superseded())
                elif run.failure is not None:
                    raise run.failure
                elif run.is_ended or run.client not in self._lenders:
                    return
        finally:
            for approval in approvals:
                approval.cancel()

    async def _until_woken(self, run: _Run, turn: Turn) -> AsyncGenerator[TurnStatus]:
        """Wait for something of a run; yield how long its client has been busy.

        Raises:
            StreamchatError: The agent says nothing for the time of a whole turn
                (``agent_timeout``).
        """
        silent_since = time.monotonic()
        while not run.woken.is_set():
            try:
                async with asyncio.timeout(BUSY_SHOWN_S):
                    await run.woken.wait()
            except TimeoutError:
                now = time.monotonic()
                if not run.is_accepted:
                    label = (
                        f"Waiting for the kernel (busy for {now - run.began:.0f} s)…"
                    )
                    yield TurnStatus(phase="waiting_kernel", label=label)
                if run.checked.awaits_approval or not run.is_accepted:
                    silent_since = now
                elif now - silent_since > turn.limits.wall_clock_s:
                    raise StreamchatError(
                        f"The agent {run.frame.agent} said nothing for "
                        f"{turn.limits.wall_clock_s:g} s.",
                        code="agent_timeout",
                        retryable=True,
                    ) from None
        run.woken.clear()

    async def _lender(self, name: str) -> _Lender:
        """Return who lends an agent; wait a little for one who comes back.

        Raises:
            StreamchatError: Nobody does (``agent_absent``).
        """
        try:
            async with asyncio.timeout(LENT_AGAIN_S):
                while True:
                    for lender in reversed(self._lenders.values()):
                        if name in lender.offers:
                            return lender
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise self._absent(name) from None

    def _absent(self, name: str) -> StreamchatError:
        where = (
            f"The agent {name!r} lives in a kernel that is gone"
            if name in self._lent_before
            else f"There is no agent {name!r} now: it is none of this server's, and no "
            "kernel lends it"
        )
        return StreamchatError(
            f"{where}; run its cell again, or choose another agent.",
            code="agent_absent",
            retryable=True,
        )

    def _begin(self, lender: _Lender, name: str, turn: Turn) -> _Run:
        limits = turn.limits
        approval_s = turn.approval_timeout_s
        frame = RunAgent(
            conversation=turn.conversation,
            turn=turn.turn,
            lease=f"l_{secrets.token_hex(10)}",
            agent=name,
            log=self._log.log,
            seq=self._log.head,
            limits=AgentLimits(
                steps=limits.steps,
                tool_calls=limits.tool_calls,
                wall_clock_ms=round(limits.wall_clock_s * 1000),
                output_tokens=limits.output_tokens,
                tokens=limits.tokens,
                cost_usd=limits.cost_usd,
                conversation_tokens=limits.conversation_tokens,
                conversation_cost_usd=limits.conversation_cost_usd,
                model_tool_output_bytes=limits.model_tool_output_bytes,
                approval_timeout_ms=(
                    None if approval_s is None else round(approval_s * 1000)
                ),
            ),
        )
        checked = LentEvents(
            self._log.fold, agent=name, tool_output_bytes=self._tool_output_bytes
        )
        run = _Run(client=lender.client, frame=frame, checked=checked)
        self._runs[frame.lease] = run
        if lender.say is not None:
            lender.say(frame)
        return run

    # inside

    def _acknowledge(self, run: _Run, *, is_superseded: bool) -> None:
        """Answer the batch that is now written."""
        batch, run.batch = run.batch, None
        if batch is None:
            return
        run.taken = batch.command.number
        self._say(
            run.client, Ack(re=batch.command.id, result={"superseded": is_superseded})
        )
        if run.is_ended or run.failure is not None:
            run.woken.set()

    def _fail(self, run: _Run, error: StreamchatError) -> None:
        if run.failure is None:
            run.failure = error
            run.woken.set()

    def _close(self, run: _Run) -> None:
        """Forget a run; tell its client to stop, unless it has ended by itself."""
        lease = run.frame.lease
        del self._runs[lease]
        if run.is_ended:
            self._ended[lease] = None
            if len(self._ended) > ENDED_LEASES:
                self._ended.popitem(last=False)
            return
        frame = run.frame
        self._say(
            run.client,
            CancelAgent(
                conversation=frame.conversation, turn=frame.turn, lease=frame.lease
            ),
        )

    def _remove(self, lender: _Lender) -> None:
        """Take back what a client lent that did not come back; its leases are lost."""
        if self._lenders.get(lender.client) is lender:
            del self._lenders[lender.client]
        for run in self._runs_of(lender.client):
            if run.is_accepted:
                self._fail(
                    run,
                    StreamchatError(
                        f"The kernel that runs the agent {run.frame.agent!r} was "
                        "restarted or lost in the middle of this answer; what it wrote "
                        "is kept. Run its cell again, then send the message again.",
                        code="agent_lost",
                        retryable=True,
                    ),
                )
            run.woken.set()

    def _say(self, client: str, frame: Frame) -> None:
        lender = self._lenders.get(client)
        if lender is not None and lender.say is not None:
            lender.say(frame)

    def _runs_of(self, client: str) -> list[_Run]:
        return [run for run in self._runs.values() if run.client == client]

    def _run_of(self, client: str, lease: str) -> _Run:
        run = self._runs.get(lease)
        if run is None or run.client != client:
            raise Conflict(
                "This lease is not current; stop the agent, drop what it said.",
                code="lease_lost",
            )
        return run


def _error_of(body: ErrorBody) -> StreamchatError:
    message = body.message.strip()[:_MOST_MESSAGE_CHARACTERS]
    return StreamchatError(
        message or "The agent failed and said no why.",
        code=body.code[:64] or "agent_failed",
        retryable=body.retryable,
        retry_after_ms=body.retry_after_ms,
    )
