"""Lending functions to conversations: each call is taken, run once, and told once.

What was taken is remembered by its lease: a call that comes again, after a reconnect,
does not run again, and its result is sent until the server has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

import msgspec

from streamchat_nb.client.kernel_tools import offer_of
from streamchat_nb.client.quick_turns import QuickTurns
from streamchat_nb.errors import ConnectError, StreamchatError, TooLarge
from streamchat_nb.protocol.commands import (
    AcceptTool,
    FinishTool,
    OfferTools,
    ReportTool,
)
from streamchat_nb.protocol.content import ToolUseBlock
from streamchat_nb.protocol.frames import CallTool, CancelTool
from streamchat_nb.tools.dispatch import Outcome, refusal_of, run_tool

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from streamchat_nb.protocol.commands import LendingCommand
    from streamchat_nb.protocol.frames import Ack
    from streamchat_nb.tools.tool import Tool

__all__ = ["ToolLender", "ToolLine"]

logger = logging.getLogger(__name__)

OUTPUT_BYTES = 131_072
LEASES = 256
"""How many calls that have ended are remembered."""
LONGEST_RUN_S = 86_400.0
"""The server measures the time of a call; this one is for a server that is gone."""
RUNNING_TOLD_S = 0.05
"""What runs for less than this is told by its result."""


class ToolLine(Protocol):
    """What a lender needs of its connection."""

    def next_id(self) -> int:
        """Return a fresh command id."""
        ...

    async def tell(self, command: LendingCommand) -> Ack | None:
        """Send a command over the socket and return its answer, if it has one.

        Raises:
            ConnectError: There is no socket now, or it was lost.
            StreamchatError: The server refused it.
        """
        ...


class ToolLender:
    """Lends tools to conversations over one connection. On the client's loop.

    Args:
        line: The connection.
    """

    def __init__(self, line: ToolLine) -> None:
        self._line = line
        self._tools: dict[str, dict[str, Tool]] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._results: OrderedDict[str, FinishTool] = OrderedDict()
        self._unsent: dict[str, FinishTool] = {}
        self._news: dict[str, ReportTool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = QuickTurns()

    def tools(self, conversation: str) -> list[Tool]:
        """Return what is lent to a conversation."""
        return list(self._tools.get(conversation, {}).values())

    async def lend(self, conversation: str, tools: Iterable[Tool]) -> None:
        """Lend tools to a conversation, in place of what was lent before.

        Where there is no socket now, they are lent once there is.

        Raises:
            StreamchatError: The server does not take them; it says why.
        """
        self._tools[conversation] = {tool.name: tool for tool in tools}
        with contextlib.suppress(ConnectError):  # ``resume`` will
            await self._offer(conversation)

    async def resume(self) -> None:
        """Lend everything anew, and send what was not; call it for each new socket."""
        for conversation in tuple(self._tools):
            with contextlib.suppress(StreamchatError):
                await self._offer(conversation)
        for lease in tuple(self._unsent):
            await self._send_result(lease)

    def take(self, frame: CallTool | CancelTool) -> None:
        """Take a frame of the server; returns at once."""
        self._turns.ask()
        if isinstance(frame, CancelTool):
            run = self._runs.get(frame.lease)
            if run is not None:
                run.cancel()
        elif frame.lease in self._results:
            self._unsent[frame.lease] = self._results[frame.lease]
            self._own(self._send_result(frame.lease))
        elif frame.lease not in self._runs:
            task = asyncio.get_running_loop().create_task(self._serve(frame))
            self._runs[frame.lease] = task
            task.add_done_callback(lambda _: self._runs.pop(frame.lease, None))

    async def close(self) -> None:
        """Stop what runs. Idempotent."""
        self._turns.end()
        tasks = [*self._runs.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _offer(self, conversation: str) -> None:
        offers = [offer_of(tool) for tool in self._tools[conversation].values()]
        await self._line.tell(
            OfferTools(id=self._line.next_id(), conversation=conversation, tools=offers)
        )

    async def _serve(self, frame: CallTool) -> None:
        """Take a call, run it once the server agrees, and see its result through."""
        accept = AcceptTool(
            id=self._line.next_id(),
            conversation=frame.conversation,
            tool_call=frame.tool_call,
            lease=frame.lease,
        )
        try:
            await self._line.tell(accept)
        except StreamchatError as error:
            # Not ours any more, or lost: it comes again with the next socket.
            logger.debug("A call was not taken: %s", error.code)
            return
        outcome = await self._run(frame)
        finish = FinishTool(
            id=self._line.next_id(),
            conversation=frame.conversation,
            tool_call=frame.tool_call,
            lease=frame.lease,
            status="error"
            if outcome.status in ("unknown", "denied")
            else outcome.status,
            output=outcome.output,
            display=outcome.display or None,
            actions=outcome.actions or None,
        )
        self._turns.ask()
        self._results[frame.lease] = self._unsent[frame.lease] = finish
        while len(self._results) > LEASES:
            self._results.popitem(last=False)
        await self._send_result(frame.lease)

    async def _run(self, frame: CallTool) -> Outcome:
        tools = self._tools.get(frame.conversation, {})
        tool = tools.get(frame.name)
        call = ToolUseBlock(id=frame.tool_call, name=frame.name, input=frame.input)
        # The server has checked the input; what checks it takes seconds to import.
        if tool is None:
            refusal = refusal_of(tool, call, known=tools)
            return refusal or Outcome(status="error", output="There is no such tool.")
        loop = asyncio.get_running_loop()

        def report(text: str | None, fraction: float | None) -> None:
            progress = ReportTool(
                conversation=frame.conversation,
                tool_call=frame.tool_call,
                lease=frame.lease,
                message=text,
                fraction=fraction,
            )
            self._note(progress)

        telling: asyncio.TimerHandle | None = None

        def tell_soon() -> None:
            nonlocal telling
            telling = loop.call_later(RUNNING_TOLD_S, report, None, None)

        def begin() -> None:
            loop.call_soon_threadsafe(tell_soon)

        try:
            return await run_tool(
                tool,
                call,
                conversation=frame.conversation,
                turn="",
                report=report,
                timeout_s=LONGEST_RUN_S,
                output_limit_bytes=OUTPUT_BYTES,
                lease=frame.lease,
                attempt=frame.attempt,
                begin=begin,
            )
        finally:
            if telling is not None:
                telling.cancel()

    async def _send_result(self, lease: str) -> None:
        """Send a result; without a socket it waits for the next one."""
        finish = self._unsent.get(lease)
        if finish is None:
            return
        finish = msgspec.structs.replace(finish, id=self._line.next_id())
        try:
            try:
                await self._line.tell(finish)
            except TooLarge:
                await self._line.tell(_too_large(finish))
        except StreamchatError as error:
            if error.retryable:
                return
            logger.debug("A result is not wanted any more: %s", error.code)
        self._unsent.pop(lease, None)

    def _note(self, news: ReportTool) -> None:
        """Tell news soon; what comes meanwhile of the same call takes its place."""
        sending = bool(self._news)
        older = self._news.get(news.lease)
        if older is not None and news.message is None:
            return
        self._news[news.lease] = news
        if not sending:
            self._own(self._tell_news())

    async def _tell_news(self) -> None:
        while self._news:
            lease, news = next(iter(self._news.items()))
            with contextlib.suppress(StreamchatError):
                await self._line.tell(news)
            if self._news.get(lease) is news:
                del self._news[lease]

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _too_large(finish: FinishTool) -> FinishTool:
    return msgspec.structs.replace(
        finish,
        status="error",
        output="The result is larger than what this server takes in one frame.",
        display=None,
        actions=None,
    )
