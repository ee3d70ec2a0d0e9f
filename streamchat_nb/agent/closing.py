"""What closes a turn that was left open: by a cancel, a failure or a dead server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from streamchat_nb.protocol.content import TextBlock, ThinkingBlock
from streamchat_nb.protocol.events import (
    BlockCompleted,
    MessageCompleted,
    ToolCompleted,
)

if TYPE_CHECKING:
    from streamchat_nb.conversation.state import (
        BlockState,
        ConversationState,
        MessageState,
        ToolCallState,
    )
    from streamchat_nb.protocol.content import ContentBlock
    from streamchat_nb.protocol.events import ToolStatus, TurnEndStatus

__all__ = ["open_ends"]

_WHY = {
    "completed": "the turn ended",
    "cancelled": "the turn was cancelled",
    "failed": "the turn failed",
    "interrupted": "the server stopped",
}


def open_ends(
    state: ConversationState, turn: str, *, status: TurnEndStatus
) -> list[BlockCompleted | MessageCompleted | ToolCompleted]:
    """Return the events that end all that a turn left open; pure.

    Text and thinking that were seen stay; a tool use whose input was not whole goes.
    A message ends as partial. A tool call that had not begun ends as cancelled; one
    that ran too, or as unknown where nobody can tell, after the server's death.

    Applying these events and asking again gives an empty list.

    Args:
        state: The fold's state; not changed.
        turn: Id of the turn.
        status: How the turn ends.

    Returns:
        Events of this turn, without conversation, number and time.
    """
    ends: list[BlockCompleted | MessageCompleted | ToolCompleted] = []
    for message in state.messages:
        if message.turn == turn and message.status == "streaming":
            ends += _message_ends(message, turn)
    ends += [
        _tool_end(call, turn, status)
        for call in state.tool_calls
        if call.turn == turn and call.status in ("requested", "running")
    ]
    return ends


def _message_ends(
    message: MessageState, turn: str
) -> list[BlockCompleted | MessageCompleted]:
    ends: list[BlockCompleted | MessageCompleted] = []
    content: list[ContentBlock] = []
    for block in message.blocks:
        final = block.content if block.content is not None else _seen(block)
        if block.content is None and not block.partial:
            ends.append(
                BlockCompleted(
                    turn=turn,
                    message=message.message,
                    block=block.block,
                    kind=block.kind,
                    content=final,
                    partial=True,
                )
            )
        if final is not None and not _is_blank(final):
            content.append(final)
    ends.append(
        MessageCompleted(
            turn=turn, message=message.message, content=content, partial=True
        )
    )
    return ends


def _seen(block: BlockState) -> ContentBlock | None:
    """Return what the reader saw of a block that never ended."""
    match block.kind:
        case "text":
            return TextBlock(text=block.text)
        case "thinking":
            return ThinkingBlock(thinking=block.text)
        case _:
            return None


def _is_blank(content: ContentBlock) -> bool:
    match content:
        case TextBlock(text=text):
            return not text.strip()
        case ThinkingBlock(thinking=text, signature=None):
            return not text.strip()
        case _:
            return False


def _tool_end(call: ToolCallState, turn: str, status: TurnEndStatus) -> ToolCompleted:
    ended: ToolStatus = "cancelled"
    note: Literal["it did not run", "it may have had effects", "it may have run"]
    if call.status == "requested":
        note = "it did not run"
    elif status == "interrupted":
        ended, note = "unknown", "it may have run"
    else:
        note = "it may have had effects"
    when = "before" if call.status == "requested" else "while"
    return ToolCompleted(
        turn=turn,
        tool_call=call.tool_call,
        status=ended,
        output=f"No result: {_WHY[status]} {when} the tool ran; {note}.",
    )
