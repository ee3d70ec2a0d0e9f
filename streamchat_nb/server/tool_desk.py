"""Tools that clients lend to a conversation, and the calls that run at them.

A call goes to one client under a *lease*. The client takes it (``tool.accept``), runs
it and sends one result, again until it is acknowledged; the first result under the
current lease counts. A client that is gone and does not come back within a few seconds
loses its leases: nobody can tell then whether what it had taken has run.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from streamchat_nb.errors import (
    Conflict,
    InvalidInput,
    LeaseLost,
    ToolError,
    UsageError,
)
from streamchat_nb.protocol.frames import CallTool, CancelTool
from streamchat_nb.tools.tool import Tool, ToolResult
from streamchat_nb.tools.validation import check_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from streamchat_nb.protocol.commands import (
        AcceptTool,
        FinishTool,
        ReportTool,
        ToolOffer,
    )
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.tools.tool import ToolContext

__all__ = ["OfferedTool", "ToolDesk"]

GONE_S = 3.0
"""How long a client may be away before it loses what it lends."""
BUSY_SHOWN_S = 1.0
LONGEST_WAIT_S = 3_600.0
"""How long a call may wait for its client to be free."""
ENDED_LEASES = 256


class OfferedTool(Tool):
    """A tool that a client lends.

    Args:
        offer: What the client says of it.
        desk: Where its calls go.
    """

    def __init__(self, offer: ToolOffer, desk: ToolDesk) -> None:
        self.name = offer.name
        self.description = offer.description
        self.input_schema = offer.input_schema
        self.label = offer.label or f"Using {offer.name}…"
        self.risk = offer.risk
        asks = offer.risk != "read"
        self.needs_approval = (
            asks if offer.needs_approval is None else offer.needs_approval
        )
        self.sequential = offer.sequential
        self.idempotent = offer.idempotent
        self.where = "kernel"
        self.run_timeout_s = offer.timeout_ms / 1000
        self.timeout_s = LONGEST_WAIT_S + self.run_timeout_s
        self._desk = desk

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        return await self._desk.run(self, input_, context)


@dataclass(kw_only=True)
class _Lender:
    """A client and what it lends; ``say`` is ``None`` while it is away."""

    client: str
    tools: dict[str, OfferedTool]
    say: Callable[[Frame], None] | None
    removal: asyncio.TimerHandle | None = None


@dataclass(kw_only=True)
class _Run:
    """One lease."""

    client: str
    frame: CallTool
    context: ToolContext
    done: asyncio.Future[ToolResult]
    began: float = field(default_factory=time.monotonic)
    is_accepted: bool = False
    is_running: asyncio.Event = field(default_factory=asyncio.Event)


class ToolDesk:
    """The tools that clients lend to one conversation. On one event loop."""

    def __init__(self) -> None:
        self._lenders: dict[str, _Lender] = {}
        self._runs: dict[str, _Run] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    @property
    def idle(self) -> bool:
        """Nobody lends anything."""
        return not self._lenders

    def tools(self) -> list[OfferedTool]:
        """Return what is lent; of two with one name, the one lent last."""
        by_name: dict[str, OfferedTool] = {}
        for lender in self._lenders.values():
            by_name.update(lender.tools)
        return list(by_name.values())

    # what clients say

    def offer(
        self,
        client: str,
        offers: list[ToolOffer],
        say: Callable[[Frame], None],
        *,
        taken: Collection[str],
    ) -> None:
        """Take what a client lends, in place of what it lent before.

        Args:
            client: Its id, the same after a reconnect.
            offers: The tools; none takes them all back.
            say: Sends a frame to the client, without waiting.
            taken: Names of the server's own tools.

        Raises:
            InvalidInput: A schema cannot be used, or two tools share a name.
            Conflict: A name is one of the server's tools (``tool_name_taken``).
        """
        tools: dict[str, OfferedTool] = {}
        for offered in offers:
            if offered.name in taken:
                raise Conflict(
                    f"The server has a tool called {offered.name}; call yours "
                    "otherwise.",
                    code="tool_name_taken",
                )
            if offered.name in tools:
                raise InvalidInput(f"Two tools are called {offered.name}.")
            try:
                what = f"The input schema of tool {offered.name}"
                check_schema(offered.input_schema, what=what)
            except UsageError as error:
                raise InvalidInput(error.message) from None
            tools[offered.name] = OfferedTool(offered, self)
        known = self._lenders.pop(client, None)
        if known is not None and known.removal is not None:
            known.removal.cancel()
        if tools or self._runs_of(client):
            self._lenders[client] = _Lender(client=client, tools=tools, say=say)
        for run in self._runs_of(client):
            # It may have missed the call; it knows a lease that it has taken.
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

    def accept(self, client: str, command: AcceptTool) -> None:
        """Note that a client has taken a call: it may run it now.

        Raises:
            Conflict: The lease is not current (``lease_lost``): do not run it.
        """
        self._run_of(client, command.lease).is_accepted = True

    def report(self, client: str, command: ReportTool) -> None:
        """Take news of a call; of a lost lease they go nowhere."""
        run = self._runs.get(command.lease)
        if run is None or run.client != client:
            return
        if command.running:
            run.is_running.set()
        if command.message is not None:
            run.context.progress(command.message, command.fraction)

    def finish(self, client: str, command: FinishTool) -> bool:
        """Take a result; returns whether it was there before.

        Raises:
            Conflict: The lease is not current (``lease_lost``): the result is dropped.
        """
        if command.lease in self._ended:
            return True
        run = self._run_of(client, command.lease)
        if not run.done.done():
            run.done.set_result(
                ToolResult(
                    output=command.output,
                    status=command.status,
                    display=tuple(command.display or ()),
                    actions=tuple(command.actions or ()),
                )
            )
        return False

    # calls

    async def run(
        self, tool: OfferedTool, input_: dict[str, Any], context: ToolContext
    ) -> ToolResult:
        """Run a call at whoever lends the tool now.

        Cancellation: the client is told to stop.

        Raises:
            ToolError: Nobody lends the tool any more, or the client went away before
                it took the call: it did not run.
            LeaseLost: The client went away after it took the call: it may have run.
        """
        lender = self._lender_of(tool.name)
        frame = CallTool(
            conversation=context.conversation,
            tool_call=context.tool_call,
            lease=context.lease,
            attempt=context.attempt,
            name=tool.name,
            input=input_,
            timeout_ms=round(tool.run_timeout_s * 1000),
        )
        done: asyncio.Future[ToolResult] = asyncio.get_running_loop().create_future()
        run = _Run(client=lender.client, frame=frame, context=context, done=done)
        self._runs[context.lease] = run
        if lender.say is not None:
            lender.say(frame)
        ended = False
        try:
            result = await self._result(run, tool)
            ended = True
            return result
        finally:
            del self._runs[context.lease]
            if ended:
                self._note_ended(context.lease)
            else:
                self._tell_cancelled(run)

    async def _result(self, run: _Run, tool: OfferedTool) -> ToolResult:
        """Wait for the result: first for the client to be free, then for its end."""
        await self._until_running(run)
        done, _ = await asyncio.wait({run.done}, timeout=tool.run_timeout_s)
        if done:
            return run.done.result()
        self._tell_cancelled(run)
        return ToolResult(
            output=f"{tool.name} did not finish within {tool.run_timeout_s:g} s. It "
            "may still be running; its result will be dropped.",
            status="timeout",
        )

    async def _until_running(self, run: _Run) -> None:
        """Wait while the client has not begun, and say how long it has been busy."""
        running = asyncio.ensure_future(run.is_running.wait())
        try:
            while not (run.done.done() or run.is_running.is_set()):
                await asyncio.wait(
                    {running, run.done},
                    timeout=BUSY_SHOWN_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                busy_s = time.monotonic() - run.began
                if not (run.done.done() or run.is_running.is_set()):
                    run.context.waiting(
                        f"Waiting for the kernel (busy for {busy_s:.0f} s)…"
                    )
        finally:
            running.cancel()

    # inside

    def _remove(self, lender: _Lender) -> None:
        """Take back what a client lent that did not come back; its leases are lost."""
        if self._lenders.get(lender.client) is lender:
            del self._lenders[lender.client]
        for run in self._runs_of(lender.client):
            if run.done.done():
                continue
            if run.is_accepted:
                run.done.set_exception(
                    LeaseLost(
                        "The kernel was restarted or lost while this was with it; it "
                        "may have run."
                    )
                )
            else:
                run.done.set_exception(
                    ToolError("The kernel is gone; this did not run.")
                )

    def _lender_of(self, name: str) -> _Lender:
        for lender in reversed(self._lenders.values()):
            if name in lender.tools:
                return lender
        raise ToolError(
            f"No kernel lends {name} any more; this did not run. Run the cell that "
            "defines it again."
        )

    def _runs_of(self, client: str) -> list[_Run]:
        return [run for run in self._runs.values() if run.client == client]

    def _run_of(self, client: str, lease: str) -> _Run:
        run = self._runs.get(lease)
        if run is None or run.client != client:
            raise Conflict(
                "This lease is not current; do not run the call, drop its result.",
                code="lease_lost",
            )
        return run

    def _note_ended(self, lease: str) -> None:
        self._ended[lease] = None
        if len(self._ended) > ENDED_LEASES:
            self._ended.popitem(last=False)

    def _tell_cancelled(self, run: _Run) -> None:
        lender = self._lenders.get(run.client)
        if lender is not None and lender.say is not None:
            frame = run.frame
            lender.say(
                CancelTool(
                    conversation=frame.conversation,
                    tool_call=frame.tool_call,
                    lease=frame.lease,
                )
            )
