"""What a transcript shows, from top to bottom, whatever it is written in.

The order is that of the chat: each question where its turn ran and under it what was
answered, on the branch that is shown. Messages that wait, or were taken back while they
did, are left out, and so is what a retry replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from streamchat_nb.conversation.branches import shown_messages
from streamchat_nb.protocol.content import (
    Action,
    DataBlock,
    DocumentBlock,
    ImageBlock,
    ToolUseBlock,
)
from streamchat_nb.tools.actions import usable_actions
from streamchat_nb.transcript.hidden import remove_hidden
from streamchat_nb.transcript.words import UNTITLED, message_note, turn_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.conversation.state import (
        BlockState,
        ConversationState,
        MessageState,
        ToolCallState,
        TurnState,
    )

__all__ = [
    "Attached",
    "Entry",
    "Note",
    "Offers",
    "Said",
    "Shared",
    "Speaker",
    "Thought",
    "ToolUse",
    "Typed",
    "outline",
    "title_of",
]

_MOST_NAME_CHARACTERS = 80
_MOST_FILE_NAME_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """Whose words follow."""

    name: str
    role: Literal["user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What a person typed, as it was typed."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What a person shared of an object: exactly the text that a model read."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A file that a person attached; ``name`` may be empty."""

    kind: Literal["Image", "Document"]
    name: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """An agent's words, in markdown. ``partial``: they break off."""

    text: str
    partial: bool


@dataclass(frozen=True, kw_only=True)
class Thought:
    """An agent's reasoning."""

    text: str


@dataclass(frozen=True, kw_only=True)
class ToolUse:
    """A tool call, with all that it showed."""

    call: ToolCallState
    turn_runs: bool


@dataclass(frozen=True, kw_only=True)
class Offers:
    """Links and buttons under an answer, those that can be shown."""

    actions: list[Action]


@dataclass(frozen=True, kw_only=True)
class Note:
    """A sentence about what happened."""

    words: str


Entry = Speaker | Typed | Shared | Attached | Said | Thought | ToolUse | Offers | Note


def outline(state: ConversationState, *, thinking: bool = False) -> list[Entry]:
    """Return what a transcript shows.

    Args:
        state: The conversation; not changed.
        thinking: Show an agent's reasoning too.
    """
    return list(_Outline(state, thinking=thinking).entries())


def title_of(state: ConversationState) -> str:
    """Return the title on one line; a plain word where there is none."""
    return remove_hidden(state.title)[:200] or UNTITLED


class _Outline:
    def __init__(self, state: ConversationState, *, thinking: bool) -> None:
        self._state = state
        self._messages = shown_messages(state)
        self._thinking = thinking
        self._turns = {turn.turn: turn for turn in state.turns}
        self._asked: dict[str, list[TurnState]] = {}
        for turn in state.turns:
            self._asked.setdefault(turn.message, []).append(turn)
        self._calls = {call.tool_call: call for call in state.tool_calls}
        self._calls_by_block = {
            (call.message, call.block): call for call in state.tool_calls
        }
        self._answers = self._grouped_answers()

    def entries(self) -> Iterator[Entry]:
        busy = any(turn.status in {"queued", "running"} for turn in self._state.turns)
        for message in self._in_order_of_turns():
            if message.role == "assistant":
                yield from self._answer(_answer_id(message))
                continue
            own = self._asked.get(message.message)
            shown = any(map(_is_shown, own)) if own else not (message.turn and busy)
            if shown:
                yield from self._question(message)
                for turn in own or ():
                    yield from self._answer(turn.turn)
        for answer in list(self._answers):
            yield from self._answer(answer)

    def _grouped_answers(self) -> dict[str, list[MessageState]]:
        """Return the messages of each answer, also of those that have none."""
        hidden = {message.message for message in self._state.messages} - {
            message.message for message in self._messages
        }
        answers: dict[str, list[MessageState]] = {
            turn.turn: []
            for turn in self._state.turns
            if _is_shown(turn) and turn.message not in hidden
        }
        for message in self._messages:
            if message.role == "assistant":
                answers.setdefault(_answer_id(message), []).append(message)
        return answers

    def _in_order_of_turns(self) -> list[MessageState]:
        ranks: dict[str, int] = {}
        for rank, turn in enumerate(self._state.turns):
            ranks[turn.turn] = rank
            ranks.setdefault(turn.message, rank)
        ranked: list[tuple[int, MessageState]] = []
        rank = -1
        for message in self._messages:
            key = message.message if message.role == "user" else message.turn or ""
            rank = ranks.get(key, rank)  # one without a turn stays where it was said
            ranked.append((rank, message))
        return [message for _, message in sorted(ranked, key=lambda one: one[0])]

    def _question(self, message: MessageState) -> Iterator[Entry]:
        yield Speaker(name=_name(message, "User"), role="user")
        texts = [block.text for block in message.blocks if _is_typed(block)]
        if any(texts):
            yield Typed(text="\n".join(texts))
        for block in message.blocks:
            match block.content:
                case DataBlock(name=name, text=text):
                    yield Shared(name=_file_name(name), text=text)
                case ImageBlock(alt=alt):
                    yield Attached(kind="Image", name=_file_name(alt))
                case DocumentBlock(title=title):
                    yield Attached(kind="Document", name=_file_name(title))
                case _:
                    pass

    def _answer(self, answer: str) -> Iterator[Entry]:
        messages = self._answers.pop(answer, None)
        if messages is None:
            return
        turn = self._turns.get(answer)
        said = [message for message in messages if message.status != "discarded"]
        entries = [entry for message in said for entry in self._message(message, turn)]
        if turn is not None and (note := turn_note(turn, answered=bool(entries))):
            entries.append(Note(words=note))
        if said and (actions := usable_actions(said[-1].actions)):
            entries.append(Offers(actions=actions))
        if entries:
            if said:
                yield Speaker(name=_name(said[0], "Assistant"), role="assistant")
            yield from entries

    def _message(
        self, message: MessageState, turn: TurnState | None
    ) -> Iterator[Entry]:
        runs = turn is not None and turn.status == "running"
        for block in message.blocks:
            call = self._call_of(message, block)
            if call is not None:
                yield ToolUse(call=call, turn_runs=runs)
            elif block.kind == "text" and block.text.strip():
                broken = message.status in {"partial", "streaming"}
                yield Said(text=block.text, partial=broken or block.partial)
            elif block.kind == "thinking" and self._thinking and block.text.strip():
                yield Thought(text=block.text)
        ended = turn is not None and turn.status not in {"running", "completed"}
        if note := message_note(message, turn_ended=ended):
            yield Note(words=note)

    def _call_of(
        self, message: MessageState, block: BlockState
    ) -> ToolCallState | None:
        if isinstance(block.content, ToolUseBlock):
            return self._calls.get(block.content.id)
        return self._calls_by_block.get((message.message, block.block))


def _answer_id(message: MessageState) -> str:
    return message.turn or f"message:{message.message}"


def _is_shown(turn: TurnState) -> bool:
    removed = turn.started_ts is None and turn.stop_reason == "removed"
    return turn.status != "queued" and not removed


def _name(message: MessageState, otherwise: str) -> str:
    return remove_hidden(message.author.name)[:_MOST_NAME_CHARACTERS] or otherwise


def _is_typed(block: BlockState) -> bool:
    return not isinstance(block.content, (DataBlock, DocumentBlock, ImageBlock))


def _file_name(name: str) -> str:
    return remove_hidden(name)[:_MOST_FILE_NAME_CHARACTERS]
