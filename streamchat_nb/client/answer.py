"""What a turn gave, whole or as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from streamchat_nb.conversation.state import final_message
from streamchat_nb.errors import NotFound
from streamchat_nb.protocol.content import Action, ErrorBody, TextBlock, Usage
from streamchat_nb.protocol.events import BlockDelta, MessageCompleted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.conversation.state import ConversationState, ToolCallState
    from streamchat_nb.protocol.events import Event, UnknownEvent

__all__ = ["Answer", "AnswerText", "answer_of"]

PARAGRAPH = "\n\n"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn gave.

    Attributes:
        text: The text of the final message; empty when there is none.
        status: ``completed``, ``cancelled``, ``failed`` or ``interrupted``.
        tool_calls: All tool calls of the turn, in order.
        actions: Links and buttons of the final message.
        usage: Tokens, as far as the endpoint counted them.
        error: What went wrong, if something did.
        turn: Id of the turn.
        message: Id of the final message.
        model: The model that answered.
        cost: What it cost in US dollars, estimated; ``None`` where that is not known.
        output: The answer as the ``output`` of ``ask``; ``None`` without one, and
            where the turn was not completed.
    """

    text: str
    status: str
    tool_calls: list[ToolCallState]
    actions: list[Action]
    usage: Usage | None
    error: ErrorBody | None
    turn: str
    message: str | None
    model: str
    cost: float | None = None
    output: Any = None

    @override
    def __str__(self) -> str:
        """Return the text."""
        return self.text

    def _repr_markdown_(self) -> str:
        """Return the text for a notebook's output."""
        return self.text


def answer_of(state: ConversationState, turn: str) -> Answer:
    """Return the answer of a finished turn.

    Raises:
        NotFound: The turn is not in this state.
    """
    end = next((t for t in state.turns if t.turn == turn), None)
    if end is None:
        raise NotFound("This conversation has no such turn.")
    last = final_message(state, turn)
    blocks = [] if last is None else last.blocks
    return Answer(
        text=_paragraphs(b.text for b in blocks if b.kind == "text"),
        status=end.status,
        tool_calls=[call for call in state.tool_calls if call.turn == turn],
        actions=[] if last is None else last.actions,
        usage=end.usage,
        error=end.error,
        turn=turn,
        message=None if last is None else last.message,
        model=end.model,
        cost=end.cost,
    )


class AnswerText:
    """Cuts the text of a turn into the pieces that have not been shown yet.

    The text of all the turn's messages, with an empty line between blocks. What was
    shown of a message that is discarded later cannot be taken back.

    Args:
        turn: The turn.
    """

    def __init__(self, turn: str) -> None:
        self._turn = turn
        self._shown: dict[str, int] = {}
        self._last: tuple[str, str] | None = None

    def take(self, event: Event | UnknownEvent) -> str:
        """Return what an event adds to the text; often nothing."""
        if event.turn != self._turn:
            return ""
        match event:
            case BlockDelta(kind="text"):
                return self._add(event.message, event.block, event.delta)
            case MessageCompleted():
                texts = (b.text for b in event.content if isinstance(b, TextBlock))
                return self._rest(event.message, "", _paragraphs(texts))
            case _:
                return ""

    def catch_up(self, state: ConversationState) -> str:
        """Return what a state has of the text beyond what was shown."""
        pieces: list[str] = []
        for message in state.messages:
            if (
                message.turn == self._turn
                and message.role == "assistant"
                and message.status != "discarded"
            ):
                blocks = [b for b in message.blocks if b.kind == "text" and b.text]
                last = blocks[-1].block if blocks else ""
                text = _paragraphs(block.text for block in blocks)
                pieces.append(self._rest(message.message, last, text))
        return "".join(pieces)

    def _rest(self, message: str, block: str, text: str) -> str:
        """Return what was not shown of a message, which ends with this block."""
        begun = message in self._shown
        rest = text[self._shown.get(message, 0) :]
        if not rest:
            return ""
        gap = PARAGRAPH if self._shown and not begun else ""
        self._shown[message] = len(text)
        self._last = (message, block)
        return gap + rest

    def _add(self, message: str, block: str, delta: str) -> str:
        begun = message in self._shown
        gap = PARAGRAPH if self._last not in (None, (message, block)) else ""
        self._last = (message, block)
        # An empty line between two messages is of neither.
        own = gap + delta if begun else delta
        self._shown[message] = self._shown.get(message, 0) + len(own)
        return gap + delta


def _paragraphs(texts: Iterable[str]) -> str:
    return PARAGRAPH.join(text for text in texts if text)
