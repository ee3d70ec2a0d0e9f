from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from streamchat_nb.conversation.branches import shown_messages
from streamchat_nb.conversation.state import ConversationState, MessageState, TurnState
from streamchat_nb.protocol.content import Action, Author, ErrorBody
from streamchat_nb.transcript.outline import (
    Attached,
    Note,
    Offers,
    Said,
    Speaker,
    Thought,
    ToolUse,
    Typed,
    outline,
    title_of,
)
from tests.unit.transcript.samples import LOGS, Story, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from streamchat_nb.transcript.outline import Entry


def notes(entries: list[Entry]) -> list[str]:
    return [entry.words for entry in entries if isinstance(entry, Note)]


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_all_that_was_answered_is_there_once(log: Path) -> None:
    state = recorded(log)
    before = msgspec.json.encode(state)
    entries = outline(state)
    assert msgspec.json.encode(state) == before
    said = [entry.text for entry in entries if isinstance(entry, Said)]
    expected = [
        block.text
        for message in shown_messages(state)
        if message.role == "assistant" and message.status != "discarded"
        for block in message.blocks
        if block.kind == "text" and block.text.strip()
    ]
    assert sorted(said) == sorted(expected)
    calls = [entry.call.tool_call for entry in entries if isinstance(entry, ToolUse)]
    assert len(calls) == len(set(calls))


def test_answers_are_under_their_questions_in_the_order_of_turns() -> None:
    log = next(log for log in LOGS if log.stem == "steered_queue")
    state = recorded(log)
    typed = [entry.text for entry in outline(state) if isinstance(entry, Typed)]
    shown = {
        turn.message
        for turn in state.turns
        if turn.status != "queued" and turn.stop_reason != "removed"
    }
    order = {turn.message: at for at, turn in enumerate(state.turns)}
    texts = {message.message: message.blocks[0].text for message in state.messages}
    expected = [texts[one] for one in sorted(shown, key=lambda one: order[one])]
    assert typed == expected
    assert len(typed) < sum(message.role == "user" for message in state.messages)


def test_what_waits_or_was_removed_or_replaced_is_left_out() -> None:
    story = Story()
    story.ask("One?")
    story.ask("Two?", waits=True)
    state = story.state
    assert [one.text for one in outline(state) if isinstance(one, Typed)] == ["One?"]
    state.turns[1].status, state.turns[1].stop_reason = "cancelled", "removed"
    assert [one.text for one in outline(state) if isinstance(one, Typed)] == ["One?"]
    story.answer("Void.")
    state.messages[-1].status = "discarded"
    assert not [one for one in outline(state) if isinstance(one, Said)]


def test_thinking_is_shown_on_request() -> None:
    state = recorded(next(log for log in LOGS if log.stem == "all_blocks"))
    assert not [one for one in outline(state) if isinstance(one, Thought)]
    thoughts = [
        one for one in outline(state, thinking=True) if isinstance(one, Thought)
    ]
    assert [one.text for one in thoughts] == ["Hmm, a plot."] * 2
    typed = next(one for one in outline(state) if isinstance(one, Typed))
    assert typed.text == "What is this?"
    attached = [one for one in outline(state) if isinstance(one, Attached)]
    assert [(one.kind, one.name) for one in attached] == [
        ("Image", "A plot"),
        ("Document", ""),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "completed"}, []),
        (
            {"status": "completed", "stop_reason": "superseded"},
            ["Went on with the next message."],
        ),
        ({"status": "cancelled"}, ["This answer was stopped."]),
        (
            {"status": "cancelled", "stop_reason": "no_subscribers"},
            ["Nobody was here any more, so this answer was stopped."],
        ),
        (
            {"status": "interrupted"},
            ["The server stopped in the middle of this answer."],
        ),
        (
            {"status": "failed", "error": ErrorBody(code="x", message="Try\nlater.")},
            ["The answer could not be finished. Try later."],
        ),
        ({"status": "running"}, ["This answer is not finished yet."]),
    ],
)
def test_end_of_a_turn_is_told_in_words(
    changes: dict[str, object], words: list[str]
) -> None:
    story = Story()
    story.ask("Hi")
    story.answer("Half of")
    for name, value in changes.items():
        setattr(story.state.turns[0], name, value)
    assert notes(outline(story.state)) == words


@pytest.mark.parametrize(
    ("status", "stop_reason", "words"),
    [
        ("cancelled", None, "Stopped before it was answered."),
        (
            "cancelled",
            "no_subscribers",
            "Nobody was here any more, so this was not answered.",
        ),
        ("interrupted", None, "The server stopped before it answered this."),
    ],
)
def test_question_without_an_answer_says_so(
    status: str, stop_reason: str | None, words: str
) -> None:
    story = Story()
    story.ask("Hi", waits=True)
    turn = story.state.turns[0]
    turn.status, turn.stop_reason = status, stop_reason  # type: ignore[assignment]
    entries = outline(story.state)
    assert notes(entries) == [words]
    assert [one.name for one in entries if isinstance(one, Speaker)] == ["Ada"]


def test_message_that_was_cut_off_says_so_once() -> None:
    story = Story()
    story.ask("Hi")
    story.answer("Half", partial=True)
    assert notes(outline(story.state)) == ["The answer ends here: it was cut off."]
    story.state.messages[-1].status = "complete"
    story.state.messages[-1].stop_reason = "max_tokens"
    assert notes(outline(story.state)) == [
        "The answer ends here: it reached its greatest length."
    ]


def test_message_without_a_turn_stays_where_it_was() -> None:
    state = ConversationState(
        messages=[
            MessageState(
                message=name,
                role=role,  # type: ignore[arg-type]
                author=Author(id=name, name=name, kind="user"),
                ts=1,
                status="complete",
            )
            for name, role in (("u", "user"), ("a", "assistant"))
        ],
        turns=[TurnState(turn="t9", message="gone", status="completed")],
    )
    entries = outline(state)
    assert [one.name for one in entries if isinstance(one, Speaker)] == ["u"]


def test_only_actions_that_can_be_shown_are_offered() -> None:
    story = Story()
    story.ask("Hi")
    bad = Action(kind="link", label="x", href="javascript:alert(1)")
    good = Action(kind="button", label="More", send="More, please.")
    story.answer("There.", actions=[bad, good])
    offers = [one for one in outline(story.state) if isinstance(one, Offers)]
    assert [one.actions for one in offers] == [[good]]


def test_title_is_one_line() -> None:
    assert title_of(Story(title="a\nb\u202e").state) == "a b"
    assert title_of(ConversationState()) == "Conversation"
