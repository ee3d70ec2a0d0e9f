"""What an agent of your own yields besides text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from streamchat_nb.protocol.content import Action

if TYPE_CHECKING:
    from streamchat_nb.protocol.events import Phase, Risk
    from streamchat_nb.tools.tool import ToolResult

__all__ = ["AnswerPart", "Status", "Thinking", "ToolEnd", "ToolNews", "ToolStart"]


@dataclass(frozen=True)
class Status:
    """What the agent does now, for the user.

    Attributes:
        label: A few words, for example ``"Reading the report…"``.
        phase: Its kind; clients show a symbol for it.
    """

    label: str
    phase: Phase = "thinking"


@dataclass(frozen=True)
class Thinking:
    """More of what the agent thinks: shown folded, never sent to a model again."""

    text: str


@dataclass(frozen=True)
class ToolStart:
    """A tool begins to run, somewhere where the agent sees to it.

    What was said before it stands as a message of its own.

    Attributes:
        id: Names this call in what follows; one of its own for each call.
        name: The tool's name.
        input: What it was called with.
        label: For the user; ``"Using {name}…"`` when ``None``.
        risk: What it may do: ``read``, ``write`` or ``exec``.
    """

    id: str
    name: str
    input: dict[str, Any]
    label: str | None = None
    risk: Risk = "read"


@dataclass(frozen=True)
class ToolNews:
    """News from a running tool.

    Attributes:
        id: As in its ``ToolStart``.
        text: A few words, for example ``"page 3 of 10"``.
        fraction: Done part, 0 to 1, when known.
    """

    id: str
    text: str
    fraction: float | None = None


@dataclass(frozen=True)
class ToolEnd:
    """The one end of a tool call.

    Attributes:
        id: As in its ``ToolStart``.
        result: What it gave: text, or a ``ToolResult`` with tables, pictures, links.
        status: How it ended, where ``result`` is text.
    """

    id: str
    result: str | ToolResult
    status: Literal["ok", "error", "denied", "cancelled", "timeout", "unknown"] = "ok"


AnswerPart = str | Thinking | Status | ToolStart | ToolNews | ToolEnd | Action
"""Text of the answer, or one of these; an ``Action`` is a link or a button under it."""
