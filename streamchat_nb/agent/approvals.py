"""Tool calls that ask a person first."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec

from streamchat_nb.protocol.events import ToolApprovalRequested

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from streamchat_nb.protocol.content import ToolUseBlock
    from streamchat_nb.protocol.events import ToolApprovalResolved
    from streamchat_nb.tools.tool import Tool

__all__ = ["Approvals", "input_hash"]

_PROMPTS = {
    "read": "Let the agent use {name}?",
    "write": "Let the agent use {name}? It may change something.",
    "exec": "Let the agent run this with {name}?",
}


def input_hash(input_: dict[str, Any]) -> str:
    """Return the SHA-256 of an input with sorted keys: what an approval is bound to."""
    data = msgspec.json.encode(input_, order="deterministic")
    return hashlib.sha256(data).hexdigest()


class Approvals:
    """The calls of one step that wait for a person, and the answers as they come.

    Args:
        wait: Waits for the answer to an approval, by its id.
        timeout_s: How long a person has, in seconds; ``None`` as long as it takes.
    """

    def __init__(
        self,
        wait: Callable[[str], Awaitable[ToolApprovalResolved]],
        *,
        timeout_s: float | None = None,
    ) -> None:
        self._wait = wait
        self._timeout_s = timeout_s
        self._waiting: dict[str, tuple[Tool, ToolUseBlock]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def request(self, tool: Tool, call: ToolUseBlock) -> ToolApprovalRequested:
        """Note a call; returns the event that asks for it, to be yielded now."""
        approval = f"a_{secrets.token_hex(10)}"
        self._waiting[approval] = (tool, call)
        return ToolApprovalRequested(
            approval=approval,
            tool_call=call.id,
            input_hash=input_hash(call.input),
            prompt=_PROMPTS[tool.risk].format(name=tool.name),
            risk=tool.risk,
            may_remember=tool.risk != "exec",
            expires_at=self._expires_at(),
        )

    def _expires_at(self) -> int | None:
        if self._timeout_s is None:
            return None
        return time.time_ns() // 1_000_000 + round(self._timeout_s * 1_000)

    @property
    def label(self) -> str:
        """What the turn does while it waits, in words."""
        names = list(dict.fromkeys(tool.name for tool, _ in self._waiting.values()))
        return f"Waiting for your approval of {', '.join(names)}…"

    async def answers(
        self,
    ) -> AsyncGenerator[tuple[Tool, ToolUseBlock, ToolApprovalResolved]]:
        """Yield each call with its answer, in the order of the answers.

        Closing the iterator stops the waiting.
        """
        tasks = {
            asyncio.ensure_future(self._wait(approval)): noted
            for approval, noted in self._waiting.items()
        }
        pending = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(
                    pending, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    yield (*tasks[task], task.result())
        finally:
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)
