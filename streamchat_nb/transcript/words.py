"""Every word that a transcript says by itself: the same as in the chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.transcript.hidden import remove_hidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.state import MessageState, ToolCallState, TurnState

__all__ = [
    "LEFT_OUT",
    "SHARED",
    "UNTITLED",
    "approval_words",
    "attached_words",
    "duration_words",
    "message_note",
    "offer_lines",
    "tool_words",
    "turn_note",
]

UNTITLED = "Conversation"
SHARED = "Shared data:"
LEFT_OUT = "A part of this conversation is left out here: it is too long to be shown."

_STOP_REASONS = {
    "max_tokens": "The answer ends here: it reached its greatest length.",
    "refusal": "The model declined to go on.",
    "model_context_window_exceeded": (
        "The answer ends here: the conversation is longer than the model can read."
    ),
}
_TOOL_ENDS = {
    "ok": "Used {}",
    "error": "{} reported an error",
    "denied": "{} was not allowed",
    "cancelled": "{} was stopped",
    "timeout": "{} took too long",
    "unknown": "{} may or may not have run",
    "running": "Using {}",
    "waiting": "{} waits to be allowed",
}


def tool_words(call: ToolCallState, *, turn_runs: bool) -> tuple[str, str]:
    """Return what to say before and after the name of a tool."""
    status = call.status
    if status in {"requested", "running"}:
        waits = call.approval is not None and call.approval.decision is None
        # A call that never ended in a turn that did: nobody knows how far it came.
        status = ("waiting" if waits else "running") if turn_runs else "unknown"
    before, after = _TOOL_ENDS[status].split("{}")
    return before, after


def approval_words(call: ToolCallState) -> str:
    """Return who allowed a tool call, or refused it; empty when nobody was asked."""
    approval = call.approval
    if approval is None or approval.decision is None:
        return ""
    name = remove_hidden(approval.by.name)[:80] if approval.by else ""
    by = f" by {name}" if name else ""
    if approval.decision == "denied":
        return f"refused{by}" if by else ""
    return f"allowed{' with changes' if approval.is_edited else ''}{by}"


def attached_words(kind: str, name: str) -> str:
    """Return what stands for an attached file: ``[Image: plot.png]``."""
    return f"[{kind}: {name}]" if name else f"[{kind}]"


def duration_words(milliseconds: int | None) -> str:
    """Return a duration for a reader: ``0.4 s``, ``12 s``, ``1 min 5 s``."""
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1000
    if seconds < 9.95:  # noqa: PLR2004 - what rounds to ten has no decimals
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def offer_lines(links: Sequence[str], buttons: Sequence[str]) -> list[str]:
    """Return what an answer offers, at most a line of each kind."""
    kinds = (("Links", links), ("Suggested next", buttons))
    return [f"{name}: {' · '.join(offers)}" for name, offers in kinds if offers]


def message_note(message: MessageState, *, turn_ended: bool) -> str:
    """Return how an agent's message ended, if that needs words.

    Args:
        message: The message.
        turn_ended: Whether the end of its turn says already why it is partial.
    """
    if message.status == "partial" and not turn_ended:
        return "The answer ends here: it was cut off."
    return _STOP_REASONS.get(message.stop_reason or "", "")


def turn_note(turn: TurnState, *, answered: bool) -> str:
    """Return how a turn ended, or that it has not; empty when all went well.

    Args:
        turn: The turn.
        answered: Whether anything is shown of its answer.
    """
    match turn.status:
        case "completed":
            superseded = turn.stop_reason == "superseded"
            words = "Went on with the next message." if superseded else ""
        case "cancelled":
            words = _cancelled_words(turn, answered=answered)
        case "interrupted" if turn.started_ts is None:
            words = "The server stopped before it answered this."
        case "interrupted":
            words = "The server stopped in the middle of this answer."
        case "failed":
            detail = remove_hidden(turn.error.message)[:300] if turn.error else ""
            words = f"The answer could not be finished. {detail}".rstrip()
        case _:
            words = "This answer is not finished yet."
    return words


def _cancelled_words(turn: TurnState, *, answered: bool) -> str:
    unseen = turn.stop_reason == "no_subscribers"
    if turn.started_ts is None and not answered:
        if unseen:
            return "Nobody was here any more, so this was not answered."
        return "Stopped before it was answered."
    if unseen:
        return "Nobody was here any more, so this answer was stopped."
    return "This answer was stopped."
