"""What was said, as AG-UI messages: what a client that comes late is told.

One message of ours becomes one AG-UI message for each stretch of text in it and one
for each block of thinking. The first text has the id of our message, and so has what
the message's tool calls stand in; further ones have a number behind a dot, thinking
has ``r`` and a number. Live events use the same ids, so that both fit together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from ag_ui.core import (  # noqa: TID253 - imported late, with this module
    AssistantMessage,
    FunctionCall,
    ReasoningMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)

from streamchat_nb.conversation.branches import Branches, shown_messages
from streamchat_nb.protocol.content import TextBlock, ThinkingBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ag_ui.core import Message

    from streamchat_nb.conversation.state import (
        ConversationState,
        MessageState,
        ToolCallState,
    )
    from streamchat_nb.protocol.content import ContentBlock

__all__ = [
    "Piece",
    "PieceKind",
    "PieceNames",
    "Transcript",
    "arguments_of",
    "content_of",
    "history_before",
    "pieces_of",
    "result_id",
    "words",
]

MOST_MESSAGES = 200
MOST_BYTES = 1_048_576
_BYTES_EACH = 100

PieceKind = Literal["text", "thinking"]


@dataclass(kw_only=True)
class Piece:
    """A stretch of text, or a block of thinking, of one message of ours."""

    id: str
    kind: PieceKind
    text: str = ""


@dataclass
class PieceNames:
    """Names the pieces of one message, in their order."""

    message: str
    _texts: int = 0
    _thoughts: int = 0

    def next(self, kind: PieceKind) -> str:
        """Return the id of the next piece of a kind."""
        if kind == "thinking":
            self._thoughts += 1
            return f"{self.message}.r{self._thoughts - 1}"
        self._texts += 1
        return self.message if self._texts == 1 else f"{self.message}.{self._texts - 1}"


def pieces_of(message: str, content: Iterable[ContentBlock]) -> list[Piece]:
    """Return the pieces of a message, without empty ones.

    Texts with nothing in between are one piece: citations cut a text into many.
    """
    names = PieceNames(message)
    pieces: list[Piece] = []
    continues = False
    for block in content:
        match block:
            case TextBlock(text=text):
                if continues:
                    pieces[-1].text += text
                elif text:
                    name = names.next("text")
                    pieces.append(Piece(id=name, kind="text", text=text))
                    continues = True
            case ThinkingBlock(thinking=text):
                continues = False
                if text:
                    name = names.next("thinking")
                    pieces.append(Piece(id=name, kind="thinking", text=text))
            case _:
                continues = False
    return pieces


def words(content: Iterable[ContentBlock]) -> str:
    """Return what a person wrote in a message."""
    return "\n\n".join(block.text for block in content if isinstance(block, TextBlock))


@dataclass
class Transcript:
    """Messages in the order in which a client shows them."""

    messages: list[Message] = field(default_factory=list["Message"])

    def add_user(self, id_: str, text: str) -> None:
        """Add what a person wrote."""
        self.messages.append(UserMessage(id=id_, content=text))

    def add_answer(self, message: str, content: Sequence[ContentBlock]) -> None:
        """Add a message of the agent."""
        for piece in pieces_of(message, content):
            if piece.kind == "thinking":
                self.messages.append(ReasoningMessage(id=piece.id, content=piece.text))
                continue
            known = self._answer(piece.id)
            if known is None:
                added = AssistantMessage(id=piece.id, content=piece.text)
                self.messages.append(added)
            else:
                known.content = piece.text

    def add_call(self, message: str, call: str, name: str, input_: Any) -> None:  # noqa: ANN401 - any JSON
        """Add a tool call to a message of the agent."""
        answer = self._answer(message)
        if answer is None:
            answer = AssistantMessage(id=message)
            self.messages.append(answer)
        function = FunctionCall(name=name, arguments=arguments_of(input_))
        answer.tool_calls = [
            *(answer.tool_calls or []),
            ToolCall(id=call, function=function),
        ]

    def add_result(self, call: str, output: str, status: str) -> None:
        """Add the result of a tool call."""
        self.messages.append(
            ToolMessage(
                id=result_id(call),
                content=output,
                tool_call_id=call,
                error=None if status == "ok" else status,
            )
        )

    def newest(self) -> list[Message]:
        """Return the newest messages within the bounds, from a person's on."""
        size = 0
        taken = 0
        for message in reversed(self.messages):
            size += _BYTES_EACH + len(message.model_dump_json())
            if taken == MOST_MESSAGES or size > MOST_BYTES:
                break
            taken += 1
        kept = self.messages[len(self.messages) - taken :]
        if taken == len(self.messages):
            return kept
        starts = [n for n, m in enumerate(kept) if isinstance(m, UserMessage)]
        return kept[starts[0] :] if starts else []

    def _answer(self, id_: str) -> AssistantMessage | None:
        for message in reversed(self.messages):
            if isinstance(message, AssistantMessage) and message.id == id_:
                return message
        return None


def arguments_of(input_: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a tool's input as the JSON text that AG-UI carries."""
    return msgspec.json.encode(input_).decode()


def result_id(call: str) -> str:
    """Return the id of the message that a tool's result becomes."""
    return f"{call}.result"


def history_before(state: ConversationState, turn: str) -> Transcript:
    """Return what was said in the turns before one, in its branch."""
    transcript = Transcript()
    calls: defaultdict[str, list[ToolCallState]] = defaultdict(list)
    for call in state.tool_calls:
        calls[call.message].append(call)
    for message in _branch_of(state, turn):
        if message.turn == turn:
            break
        if message.status != "discarded":
            _add(transcript, message, calls[message.message])
    return transcript


def _branch_of(state: ConversationState, turn: str) -> list[MessageState]:
    for asked in state.turns:
        if asked.turn == turn:
            branches = Branches(state)
            return branches.messages_of(branches.line_to(asked.message))
    return shown_messages(state)


def content_of(message: MessageState) -> list[ContentBlock]:
    """Return what a message says, as far as it was said."""
    content: list[ContentBlock] = []
    for block in message.blocks:
        match block.kind:
            case _ if block.content is not None:
                content.append(block.content)
            case "text":
                content.append(TextBlock(text=block.text))
            case "thinking":
                content.append(ThinkingBlock(thinking=block.text))
            case _:
                pass
    return content


def _add(
    transcript: Transcript, message: MessageState, calls: list[ToolCallState]
) -> None:
    content = content_of(message)
    if message.role == "user":
        transcript.add_user(message.message, words(content))
        return
    transcript.add_answer(message.message, content)
    for call in calls:
        transcript.add_call(message.message, call.tool_call, call.name, call.input)
    for call in calls:
        if call.output is not None:
            transcript.add_result(call.tool_call, call.output, call.status)
