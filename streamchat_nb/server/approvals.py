"""Where tool calls of one conversation ask a person, and any seat may answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.errors import Conflict, InvalidInput, NotFound
from streamchat_nb.protocol.content import Author
from streamchat_nb.protocol.events import ConversationUpdated, ToolApprovalResolved
from streamchat_nb.tools.validation import faults_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.state import ToolCallState
    from streamchat_nb.protocol.events import ApprovalDecision, Event
    from streamchat_nb.server.settings import Settings
    from streamchat_nb.tools.registry import ToolSet
    from streamchat_nb.tools.tool import Tool

__all__ = ["ALLOWED_TOOLS", "ApprovalDesk"]

ALLOWED_TOOLS = "allowed_tools"
"""In a conversation's settings: names of tools that do not ask any more."""


_SYSTEM = Author(id="system", name="streamchat_nb", kind="system")


class ApprovalDesk:
    """Takes answers to approvals and hands them to the calls that wait.

    What is asked and what was answered is in the log and nowhere else.

    Args:
        log: The conversation's log.
        tools: Gives the tools, to check an edited input.
        settings: Which tools ask, and how long a person has to answer.
    """

    def __init__(
        self,
        log: ConversationLog,
        *,
        tools: Callable[[], ToolSet],
        settings: Settings,
    ) -> None:
        self._log = log
        self._tools = tools
        self._settings = settings
        # Answers that are on their way to the log: the first one counts already.
        self._deciding: dict[str, ApprovalDecision] = {}

    def asks_first(self, tool: Tool) -> bool:
        """Say whether a person must agree before this tool runs."""
        if tool.risk == "exec":
            return tool.needs_approval
        match self._settings.tool_approvals.get(tool.name):
            case "ask":
                return tool.name not in self._allowed_tools()
            case "allow":
                return False
            case _:
                return tool.needs_approval and tool.name not in self._allowed_tools()

    async def answer(self, approval: str) -> ToolApprovalResolved:
        """Wait until the log says how an approval was answered. Cancel safe.

        The request itself may still be on its way to the log. After the time of the
        settings the answer is no, and the log says so.
        """
        try:
            async with asyncio.timeout(self._settings.approval_timeout_s):
                return await self._answered(approval)
        except TimeoutError:
            self._expire(approval)
        return await self._answered(approval)

    async def _answered(self, approval: str) -> ToolApprovalResolved:
        changed = asyncio.Event()
        unwatch = self._log.watch(changed.set)
        try:
            while True:
                changed.clear()
                call = self._find_call(approval)
                asked = None if call is None else call.approval
                if call and asked and asked.decision is not None:
                    return ToolApprovalResolved(
                        approval=approval,
                        tool_call=call.tool_call,
                        decision=asked.decision,
                        by=asked.by,
                        edited_input=call.input if asked.is_edited else None,
                        reason=asked.reason,
                    )
                await changed.wait()
        finally:
            unwatch()

    def _expire(self, approval: str) -> None:
        call = self._find_call(approval)
        if call is None or self._recorded(call, approval) is not None:
            return
        waited_s = self._settings.approval_timeout_s
        denied = ToolApprovalResolved(
            approval=approval,
            tool_call=call.tool_call,
            turn=call.turn,
            decision="denied",
            by=_SYSTEM,
            reason=f"Nobody answered within {waited_s:g} s.",
        )
        self._log.append(denied, durable=True)

    def resolve(
        self, given: ToolApprovalResolved, *, by: Author, active_turn: str | None
    ) -> asyncio.Future[int] | None:
        """Record a person's answer; the first one counts.

        Args:
            given: The answer, without ``tool_call``, ``turn`` and ``by``.
            by: Who answers.
            active_turn: The turn that runs: calls of others have ended.

        Returns:
            Settles when it is in the log; ``None`` when the same answer was given
            before.

        Raises:
            NotFound: There is no such approval in this conversation.
            Conflict: Another answer is recorded (``details`` says which), or the call
                has ended (``approval_closed``).
            InvalidInput: The edited input is not what the tool takes, or what runs
                any code was to be remembered.
        """
        call = self._find_call(given.approval)
        if call is None:
            raise NotFound("This conversation has no such approval.")
        recorded = self._recorded(call, given.approval)
        if recorded == given.decision:
            return None
        if recorded is not None:
            raise Conflict(
                f"Somebody has answered already: {recorded}.",
                details={"recorded": recorded},
            )
        if call.status != "requested" or call.turn != active_turn:
            raise Conflict(
                "This call has ended; there is nothing left to approve.",
                code="approval_closed",
            )
        self._check_edited(call, given)
        resolved = msgspec.structs.replace(
            given, tool_call=call.tool_call, turn=call.turn, by=by
        )
        events: list[Event] = [resolved]
        if given.decision == "approved" and given.remember == "conversation":
            events.append(self._remembered(call))
        self._deciding[given.approval] = given.decision
        committed = self._log.append(*events, durable=True, rejectable=True)
        # From then on the log says so; or it was refused and can be answered again.
        committed.add_done_callback(lambda _: self._deciding.pop(given.approval, None))
        return committed

    def _find_call(self, approval: str) -> ToolCallState | None:
        for call in reversed(self._log.state.tool_calls):
            if call.approval is not None and call.approval.approval == approval:
                return call
        return None

    def _recorded(self, call: ToolCallState, approval: str) -> ApprovalDecision | None:
        known = None if call.approval is None else call.approval.decision
        return known or self._deciding.get(approval)

    def _check_edited(self, call: ToolCallState, given: ToolApprovalResolved) -> None:
        tool = self._tools().get(call.name)
        if given.edited_input is None or tool is None:
            return
        faults = faults_of(given.edited_input, tool.input_schema)
        if faults:
            raise InvalidInput(
                f"{call.name} does not take this input: {'; '.join(faults)}"
            )

    def _remembered(self, call: ToolCallState) -> ConversationUpdated:
        if call.risk == "exec":
            raise InvalidInput(
                f"{call.name} runs any code: it is approved each time, for once."
            )
        allowed = {*self._allowed_tools(), call.name}
        settings = {**self._log.state.settings, ALLOWED_TOOLS: sorted(allowed)}
        return ConversationUpdated(settings=settings)

    def _allowed_tools(self) -> list[str]:
        return list(self._log.state.settings.get(ALLOWED_TOOLS, ()))
