from __future__ import annotations

import io
import random
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from streamchat_nb.client.answer import AnswerText, answer_of
from streamchat_nb.client.terminal_printer import TerminalPrinter
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.errors import NotFound
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.events import BlockDelta, MessageCreated

if TYPE_CHECKING:
    from streamchat_nb.protocol.events import Event, UnknownEvent

# Without those whose deltas are not what the complete message says in the end.
LOGS = sorted(
    path
    for path in (Path(__file__).parents[2] / "fixtures" / "logs").glob("*.json")
    if path.stem not in ("compacted", "edges")
)


def events_of(path: Path) -> list[Event | UnknownEvent]:
    raw = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    events = msgspec.json.decode(raw["events"], type=list[msgspec.Raw])
    return [decode_event(bytes(event)) for event in events]


def copied(state: ConversationState) -> ConversationState:
    return msgspec.json.decode(msgspec.json.encode(state), type=ConversationState)


def shown_by(
    events: list[Event | UnknownEvent], turn: str, replaced: set[int]
) -> tuple[str, str]:
    """What is shown in pieces, and in a terminal, with some events as one state."""
    fold, text, out = Fold(), AnswerText(turn), io.StringIO()
    printer = TerminalPrinter(turn, out, color=False)
    pieces: list[str] = []
    for place, event in enumerate(events):
        fold.apply(event)
        if place in replaced:
            continue
        if place - 1 in replaced:
            state = copied(fold.state)
            pieces.append(text.catch_up(state))
            printer.catch_up(state)
        else:
            pieces.append(text.take(event))
            printer.show(event)
    return "".join(pieces), out.getvalue()


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_text_in_pieces_is_the_same_whatever_came_as_a_state(path: Path) -> None:
    events = events_of(path)
    fold = Fold()
    for event in events:
        fold.apply(event)
    dice = random.Random(path.stem)  # noqa: S311 - the same on each run
    discarded = any(m.status == "discarded" for m in fold.state.messages)
    for turn in fold.state.turns:
        whole, _ = shown_by(events, turn.turn, set())
        answer = answer_of(fold.state, turn.turn)
        assert whole.endswith(answer.text)
        if discarded:
            continue  # what was shown of it depends on when one looked
        for _ in range(40):
            first = dice.randrange(len(events))
            last = dice.randrange(first, len(events))
            replaced = set(range(first, last))
            assert shown_by(events, turn.turn, replaced)[0] == whole


def test_terminal_shows_an_end_that_came_in_a_state() -> None:
    events = events_of(LOGS[[p.stem for p in LOGS].index("simple_answer")])
    fold = Fold()
    begun = next(n for n, e in enumerate(events) if isinstance(e, BlockDelta))
    turn = str(events[begun].turn)
    out = io.StringIO()
    printer = TerminalPrinter(turn, out, color=False)
    for event in events[: begun + 1]:
        fold.apply(event)
        printer.show(event)
    assert printer.ended is None
    for event in events[begun + 1 :]:
        fold.apply(event)
    printer.catch_up(fold.state)
    assert printer.ended == "completed"
    text = answer_of(fold.state, turn).text
    assert out.getvalue().count(text) == 1
    assert out.getvalue().endswith("\n")


def test_text_of_other_turns_is_passed_over() -> None:
    text = AnswerText("t_1")
    delta = BlockDelta(message="m", block="b", kind="text", delta="x", turn="t_2")
    assert text.take(delta) == ""
    assert text.take(msgspec.structs.replace(delta, turn="t_1")) == "x"


def test_answer_of_a_turn_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        answer_of(ConversationState(), "t_1")


def test_message_without_deltas_is_shown_when_it_is_complete() -> None:
    path = LOGS[[p.stem for p in LOGS].index("tool_turn")]
    events: list[Event | UnknownEvent] = [
        event for event in events_of(path) if not isinstance(event, BlockDelta)
    ]
    turn = next(str(e.turn) for e in events if isinstance(e, MessageCreated))
    with_deltas, _ = shown_by(events_of(path), turn, set())
    assert shown_by(events, turn, set())[0] == with_deltas
