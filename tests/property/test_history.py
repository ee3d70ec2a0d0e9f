"""Whatever happened in a conversation, the next request is valid."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamchat_nb.agent.closing import open_ends
from streamchat_nb.agent.history import _any_history as history_step_by_step
from streamchat_nb.agent.history import history_of
from streamchat_nb.agent.repair import _repaired as repaired_step_by_step
from streamchat_nb.agent.repair import repair, trim
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import Author, TextBlock, ToolUseBlock
from streamchat_nb.testing.request_validation import check_request

if TYPE_CHECKING:
    from collections.abc import Sequence

USER = Author(id="u", name="U", kind="user")
LOGS = {
    path.stem: [
        decode_event(msgspec.json.encode(event))
        for event in msgspec.json.decode(path.read_bytes())["events"]
    ]
    for path in sorted((Path(__file__).parents[1] / "fixtures/logs").glob("*.json"))
}

# Few ids, so that uses and results meet, miss each other and come twice.
ids = st.sampled_from(["a", "b", "a-2", "a.b", "", "x" * 70])
texts = st.sampled_from(["", " ", "\n", "word", "two words"])


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def thinking(signature: str | None) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "", "signature": signature}


def tool_use(id_: str, input_: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "f", "input": input_}


def tool_result(id_: str, content: object, is_error: bool) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": id_,
        "content": content,
        "is_error": is_error,
    }


def search(id_: str) -> dict[str, Any]:
    return {"type": "server_tool_use", "id": id_, "name": "web_search", "input": {}}


def found(id_: str) -> dict[str, Any]:
    return {"type": "web_search_tool_result", "tool_use_id": id_, "content": []}


def message(role: str, content: object) -> dict[str, Any]:
    return {"role": role, "content": content}


inputs: st.SearchStrategy[object] = st.sampled_from([{}, {"n": 1}, None])
outputs = st.sampled_from(["", "fine", "long " * 50, None])
blocks = st.one_of(
    st.builds(text, texts),
    st.builds(thinking, st.sampled_from(["", "s", None])),
    st.just({"type": "redacted_thinking", "data": "x"}),
    st.builds(tool_use, ids, inputs),
    st.builds(tool_result, ids, outputs, st.booleans()),
    st.builds(search, st.sampled_from(["s1", "s2"])),
    st.builds(found, st.sampled_from(["s1", "s2"])),
)
messages = st.builds(
    message,
    st.sampled_from(["user", "assistant"]),
    st.lists(blocks, max_size=5) | texts,
)
histories = st.lists(messages, max_size=10)


def check(history: list[dict[str, Any]]) -> None:
    if history:
        check_request({"model": "m", "max_tokens": 1, "messages": history})


def roles_alternate(history: list[dict[str, Any]]) -> bool:
    roles = [message["role"] for message in history]
    return roles == [("user", "assistant")[n % 2] for n in range(len(roles))]


@settings(max_examples=max(1_000, settings().max_examples))
@given(histories)
def test_repair_makes_any_history_valid_and_a_repaired_one_stays(
    history: list[dict[str, Any]],
) -> None:
    before = deepcopy(history)
    repaired = repair(history)
    assert history == before
    check(repaired)
    assert roles_alternate(repaired)
    assert repair(repaired) == repaired


@settings(max_examples=300)
@given(
    st.lists(st.lists(st.builds(text, texts), max_size=2), max_size=6),
    st.just([]) | histories,
)
def test_repair_of_words_is_the_same_at_once_and_step_by_step(
    said: list[list[dict[str, Any]]], rest: list[dict[str, Any]]
) -> None:
    by_turns = [
        message(("user", "assistant")[n % 2], content) for n, content in enumerate(said)
    ]
    history = [*by_turns, *rest]
    assert repair(history) == repaired_step_by_step(history)


@settings(max_examples=300)
@given(histories, histories)
def test_repair_in_the_middle_of_a_history_does_no_harm(
    first: list[dict[str, Any]], rest: list[dict[str, Any]]
) -> None:
    """A history that goes on after a repair, as conversations do, is repairable."""
    whole = repair([*repair(first), *rest])
    check(whole)
    assert repair(whole) == whole


@settings(max_examples=300)
@given(histories, st.integers(min_value=2, max_value=2_000))
def test_trim_of_any_history_is_valid_and_keeps_the_last_message(
    history: list[dict[str, Any]], budget_bytes: int
) -> None:
    repaired = repair(history)
    before = deepcopy(repaired)
    trimmed = trim(repaired, budget_bytes=budget_bytes)
    assert repaired == before
    check(trimmed)
    assert repair(trimmed) == trimmed
    if repaired:
        last, kept = repaired[-1]["content"], trimmed[-1]["content"]
        # Where the question stands beside results, these go with their uses.
        said = [block for block in last if block["type"] != "tool_result"] or last
        assert kept[-len(said) :] == said


def states(events: Sequence[e.Event | e.UnknownEvent]) -> list[ConversationState]:
    """Return the state after each event."""
    fold = Fold()
    found: list[ConversationState] = []
    for event in events:
        fold.apply(event)
        found.append(deepcopy(fold.state))
    return found


@pytest.mark.parametrize("name", LOGS)
def test_history_of_a_log_cut_anywhere_is_valid(name: str) -> None:
    for state in states(LOGS[name]):
        history = history_of(state)
        check(history)
        assert roles_alternate(history)


@pytest.mark.parametrize("name", LOGS)
def test_log_cut_anywhere_is_closed_and_can_go_on(name: str) -> None:
    for state in states(LOGS[name]):
        fold = Fold(state)
        for turn in list(state.turns):
            close(fold, turn.turn)
            assert open_ends(fold.state, turn.turn, status="interrupted") == []
        assert not [m for m in fold.state.messages if is_open(m, fold.state)]
        assert not [
            call
            for call in fold.state.tool_calls
            if call.status in ("requested", "running") and call.turn is not None
        ]
        ask(fold, "next")
        history = history_of(fold.state, until_turn="next")
        check(history)
        assert history[-1]["content"][-1] == {"type": "text", "text": "Go on"}


answers: st.SearchStrategy[list[Any] | None] = st.sampled_from(
    [
        *[[TextBlock(text="word")]] * 12,
        [TextBlock(text=" ")],
        [TextBlock(text="one"), TextBlock(text="two")],
        [TextBlock(text="word", citations=[{"type": "page"}])],
        [ToolUseBlock(id="a", name="f", input={})],
        [],
        None,  # none came
    ]
)
fates = st.sampled_from([*["runs"] * 12, "waits", "discards", "goes on", "left"])
parents = st.sampled_from([*[None] * 12, "", "t0-user"])


@settings(max_examples=500)
@given(st.lists(st.tuples(answers, fates, parents), max_size=6))
def test_history_of_words_is_the_same_at_once_and_step_by_step(
    exchanges: list[tuple[list[Any] | None, str, str | None]],
) -> None:
    fold = Fold()

    def write(turn: str | None, *events: e.Event) -> None:
        for event in events:
            fold.apply(msgspec.structs.replace(event, seq=fold.seq + 1, turn=turn))

    for number, (content, fate, parent) in enumerate(exchanges):
        turn, asked, said = f"t{number}", f"t{number}-user", f"t{number}-agent"
        question: list[Any] = [TextBlock(text=f"Question {number}")]
        write(
            turn,
            e.MessageCreated(
                message=asked, role="user", author=USER, content=question, parent=parent
            ),
        )
        if fate == "waits":
            write(turn, e.TurnQueued(message=asked))
            continue
        write(turn, e.TurnStarted(message=asked, agent="a"))
        if content is not None:
            spoken = None if fate == "left" else turn
            write(spoken, e.MessageCreated(message=said, role="assistant", author=USER))
            if fate == "discards":
                block = e.BlockStarted(message=said, block="b0", kind="text")
                whole = e.BlockCompleted(
                    message=said, block="b0", kind="text", content=question[0]
                )
                write(turn, block, whole)
                write(turn, e.MessageDiscarded(message=said, reason="broke off"))
            elif fate != "goes on":
                write(turn, e.MessageCompleted(message=said, content=content))
        write(turn, e.TurnFinished(status="completed"))
    ask(fold, "next")
    for until_turn in (None, *(turn.turn for turn in fold.state.turns)):
        history = history_of(fold.state, until_turn=until_turn)
        assert history == history_step_by_step(fold.state, until_turn, 32_768, None)


def is_open(message: Any, state: ConversationState) -> bool:
    turns = {turn.turn for turn in state.turns}
    return message.status == "streaming" and message.turn in turns


def close(fold: Fold, turn: str) -> None:
    for event in open_ends(fold.state, turn, status="interrupted"):
        fold.apply(msgspec.structs.replace(event, seq=fold.seq + 1))


def ask(fold: Fold, turn: str) -> None:
    for event in (
        e.MessageCreated(
            message=f"{turn}-user",
            role="user",
            author=USER,
            content=[TextBlock(text="Go on")],
            turn=turn,
        ),
        e.TurnStarted(message=f"{turn}-user", agent="a", turn=turn),
    ):
        fold.apply(msgspec.structs.replace(event, seq=fold.seq + 1))
