"""What a tool is: a name, a schema and a call, wherever it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.protocol.content import Action, Display
    from streamchat_nb.protocol.events import Risk

__all__ = ["Tool", "ToolContext", "ToolResult"]


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """What a tool call gave.

    Attributes:
        output: Text for the model and, folded, for the user; never empty.
        status: ``ok`` or how it failed.
        actions: Links and buttons for the final answer of the turn.
        display: What people are shown beside the text: tables, pictures.
    """

    output: str
    status: Literal["ok", "error", "denied", "cancelled", "timeout", "unknown"] = "ok"
    actions: tuple[Action, ...] = field(default=())
    display: tuple[Display, ...] = field(default=())


class ToolContext:
    """A running tool's line to the conversation.

    Safe to use from any thread.

    Args:
        conversation: Id of the conversation.
        turn: Id of the turn.
        tool_call: Id of this call.
        report: Receives ``(text, fraction)`` of each progress report; must be safe
            to call from any thread.
        is_cancelled: Says whether the turn was cancelled or the call timed out.
        lease: Names this attempt where another process runs it.
        attempt: 1 for the first.
        wait: Receives why it cannot run yet, in words.
        begin: Called when it begins where it may have had to wait; from any thread.
    """

    def __init__(  # noqa: PLR0913 (facts of one call, by keyword)
        self,
        *,
        conversation: str,
        turn: str,
        tool_call: str,
        report: Callable[[str, float | None], None],
        is_cancelled: Callable[[], bool],
        lease: str = "",
        attempt: int = 1,
        wait: Callable[[str], None] | None = None,
        begin: Callable[[], None] | None = None,
    ) -> None:
        self.conversation = conversation
        self.turn = turn
        self.tool_call = tool_call
        self.lease = lease
        self.attempt = attempt
        self._wait = wait
        self._begin = begin
        self._report = report
        self._is_cancelled = is_cancelled

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more; a long tool looks and stops."""
        return self._is_cancelled()

    def progress(self, text: str, fraction: float | None = None) -> None:
        """Tell every screen what the tool is doing.

        Args:
            text: A few words, for example ``"page 3 of 10"``; cut at 500 characters.
            fraction: Done part, 0 to 1, when known; clamped.
        """
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        self._report(str(text)[:500], fraction)

    def waiting(self, text: str) -> None:
        """Tell every screen that the tool cannot run yet, and why."""
        if self._wait is not None:
            self._wait(text)

    def running(self) -> None:
        """Tell that the tool has begun, where it may have had to wait."""
        if self._begin is not None:
            self._begin()


class Tool(ABC):
    """Something a model may call.

    Attributes:
        name: ``[A-Za-z0-9_-]{1,64}``, unique within a tool set.
        description: For the model: what it does and when to use it.
        input_schema: JSON Schema (draft 2020-12) of the input, an object.
        label: For the user while it runs, for example ``"Using search_contacts…"``.
        timeout_s: Longest run, in seconds.
        sequential: Never run beside another call of the same turn.
        risk: What it may do: ``read`` looks, ``write`` changes something, ``exec``
            runs any code.
        needs_approval: A person must agree before it runs.
        idempotent: Running it twice does no more than running it once.
        where: Which side runs it.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    label: str
    timeout_s: float = 120.0
    sequential: bool = False
    risk: Risk = "read"
    needs_approval: bool = False
    idempotent: bool = False
    where: Literal["server", "kernel", "provider"] = "server"

    @abstractmethod
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        """Run it on input that was validated against ``input_schema``.

        Cancellation: an async tool is cancelled; a sync one, on its thread, sees
        ``context.cancelled`` and its late result is dropped.

        Raises:
            Exception: Anything; the dispatcher turns it into an error result.
        """
