"""A turn of the log as runs of AG-UI: what a client of it sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streamchat_nb.conversation.state import Fold
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import (
    Author,
    ErrorBody,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)
from streamchat_nb.server.agui_events import KnownMessages, RunNames, RunTranslation
from streamchat_nb.server.agui_messages import (
    Transcript,
    content_of,
    history_before,
    pieces_of,
)
from streamchat_nb.server.agui_waiting import WAITS_FOR_APPLICATION
from tests.unit.server.agui_reader import Reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

LOGS = {
    path.stem: [
        decode_event(msgspec.json.encode(event))
        for event in msgspec.json.decode(path.read_bytes())["events"]
    ]
    for path in sorted((Path(__file__).parents[2] / "fixtures/logs").glob("*.json"))
}
TURNS = [
    (name, event.turn)
    for name, log in LOGS.items()
    for event in log
    if isinstance(event, e.TurnFinished) and event.turn
]
AGENT = Author(id="a", name="A", kind="agent")


def nothing(_: str) -> bool:
    """Say that nothing waits for an answer any more."""
    return False


def translation(
    turn: str, *, history: Transcript | None = None, **more: Any
) -> RunTranslation:
    names = RunNames(thread="thread", run="run", conversation="c", turn=turn)
    return RunTranslation(names=names, history=history or Transcript(), **more)


def read(run: RunTranslation, events: Iterable[e.Event | e.UnknownEvent]) -> Reader:
    reader = Reader()
    reader.read(run.start())
    for event in events:
        reader.read(run.take(event))
    reader.read(run.fail(ErrorBody(code="cut", message="The log ends here.")))
    return reader


def said_in(log: Sequence[e.Event | e.UnknownEvent], turn: str) -> dict[str, str]:
    """Return what the fold says that the turn said, as AG-UI names it."""
    fold = Fold()
    for event in log:
        fold.apply(event)
    return {
        piece.id: piece.text
        for message in fold.state.messages
        if message.turn == turn and message.role == "assistant"
        if message.status != "discarded"
        for piece in pieces_of(message.message, content_of(message))
    }


@pytest.mark.parametrize(("name", "turn"), TURNS)
def test_recorded_turn_as_a_run_says_what_the_fold_says(name: str, turn: str) -> None:
    run = translation(turn, is_open=nothing)
    reader = read(run, LOGS[name])
    shown = {id_: text for id_, text in reader.texts.items() if text}
    assert shown == said_in(LOGS[name], turn)
    end = next(
        x for x in LOGS[name] if isinstance(x, e.TurnFinished) and x.turn == turn
    )
    match end.status:
        case "completed":
            assert reader.last["outcome"] == {"type": "success"}
        case "cancelled":
            assert reader.last["outcome"] == {"type": "cancelled"}
        case _:
            assert reader.last["type"] == "RUN_ERROR"
    completed = [
        x.tool_call
        for x in LOGS[name]
        if isinstance(x, e.ToolCompleted) and x.turn == turn
    ]
    assert sorted(reader.results) == sorted(set(completed) & set(reader.calls))


@pytest.mark.parametrize(("name", "turn"), TURNS)
def test_recorded_turn_cut_anywhere_has_one_end(name: str, turn: str) -> None:
    for length in range(len(LOGS[name])):
        reader = read(translation(turn, is_open=nothing), LOGS[name][:length])
        assert len({"RUN_FINISHED", "RUN_ERROR"} & set(reader.types)) == 1
        assert reader.types[-1] in ("RUN_FINISHED", "RUN_ERROR")


@pytest.mark.parametrize(("name", "turn"), TURNS)
def test_snapshot_of_a_turn_fits_its_events(name: str, turn: str) -> None:
    """Who reads the history has the same messages as who has read the events."""
    run = translation(turn, is_open=nothing)
    shown = read(run, LOGS[name])
    fold = Fold()
    for event in LOGS[name]:
        fold.apply(event)
    answered = fold.turn(turn)
    tip = answered.message if answered else None
    fold.apply(e.ConversationUpdated(seq=fold.seq + 1, tip=tip))
    late = history_before(fold.state, "no such turn")
    texts = {
        m.id: m.content
        for m in late.messages
        if m.role in ("assistant", "reasoning") and m.content
    }
    assert {id_: t for id_, t in shown.texts.items() if t}.items() <= texts.items()


# --- runs of one turn


def turn_with(*events: e.Event) -> list[e.Event]:
    """Return a turn that has begun and goes on with these events."""
    return [e.TurnStarted(turn="t", message="q", agent="assistant"), *events]


def asked(call: str, where: Any = "server") -> e.ToolRequested:
    return e.ToolRequested(
        turn="t",
        message="m",
        block="b0",
        tool_call=call,
        name="write",
        label="",
        input={"a": 1},
        where=where,
    )


def approval(call: str, approval_: str) -> e.ToolApprovalRequested:
    return e.ToolApprovalRequested(
        turn="t",
        approval=approval_,
        tool_call=call,
        input_hash="h",
        prompt="May I?",
        risk="write",
        expires_at=1_790_000_000_000,
    )


def decided(call: str, approval_: str, decision: Any = "approved") -> e.Event:
    return e.ToolApprovalResolved(
        turn="t", approval=approval_, tool_call=call, decision=decision
    )


def begun(call: str) -> e.Event:
    return e.ToolStarted(turn="t", tool_call=call)


def waits(call: str) -> e.Event:
    return e.ToolProgress(turn="t", tool_call=call, message=WAITS_FOR_APPLICATION)


def over(call: str, output: str = "done") -> e.Event:
    return e.ToolCompleted(turn="t", tool_call=call, status="ok", output=output)


FINISHED = e.TurnFinished(turn="t", status="completed")


def test_run_ends_where_a_person_is_asked() -> None:
    log = turn_with(asked("c1"), asked("c2"), approval("c1", "a1"), begun("c2"))
    run = translation("t")
    reader = Reader()
    reader.read(run.start())
    for event in log:
        reader.read(run.take(event))
    assert not run.ended, "a call that runs is waited for"
    reader.read(run.take(over("c2")))
    interrupt = reader.last["outcome"]["interrupts"][0]
    assert (interrupt["id"], interrupt["toolCallId"]) == ("a1", "c1")
    assert interrupt["reason"] == "tool_call"
    assert interrupt["message"] == "May I?"
    assert interrupt["expiresAt"] == "2026-09-21T14:13:20+00:00"
    assert interrupt["responseSchema"]["required"] == ["approved"]
    assert run.take(FINISHED) == []


@pytest.mark.parametrize("decision", ["approved", "denied"])
def test_run_that_answers_begins_where_the_answer_is(decision: str) -> None:
    log = [
        *turn_with(asked("c1"), approval("c1", "a1")),
        decided("c1", "a1", decision),
        begun("c1"),
        over("c1"),
        FINISHED,
    ]
    run = translation("t", answered=frozenset({"a1"}))
    reader = read(run, log)
    assert "TOOL_CALL_START" not in reader.types, "the run before said so"
    assert reader.results == {"c1": "done"}
    assert reader.customs[0]["value"]["approved"] is (decision == "approved")
    assert reader.last["outcome"] == {"type": "success"}


def test_two_questions_are_asked_at_once_and_one_that_others_answered_is_not() -> None:
    log = turn_with(
        asked("c1"),
        asked("c2"),
        approval("c1", "a1"),
        approval("c2", "a2"),
    )
    both = read(translation("t"), log).last["outcome"]["interrupts"]
    assert [one["id"] for one in both] == ["a1", "a2"]
    one = read(translation("t", is_open=["a2"].__contains__), log).last
    assert [one["id"] for one in one["outcome"]["interrupts"]] == ["a2"]
    none = translation("t", is_open=nothing)
    assert read(none, [*log, FINISHED]).last["outcome"] == {"type": "success"}


def test_run_ends_at_calls_of_the_application_once_all_have_begun() -> None:
    log = turn_with(
        *(asked("c1", "kernel"), asked("c2", "kernel"), asked("c3")),
        *(begun("c1"), begun("c2"), begun("c3")),
        *(waits("c1"), waits("c2")),
    )
    run = translation("t")
    reader = Reader()
    reader.read(run.start())
    for event in log:
        reader.read(run.take(event))
    assert not run.ended, "c3 runs here"
    reader.read(run.take(over("c3")))
    assert reader.last["outcome"] == {
        "type": "success",
        "pendingToolCallIds": ["c1", "c2"],
    }
    given = frozenset({"c1", "c2"})
    second = read(
        translation("t", answered=given, given=given),
        [*log, over("c3"), over("c1"), over("c2"), FINISHED],
    )
    assert second.results == {}, "the client has these results"
    assert second.last["outcome"] == {"type": "success"}


def test_call_of_a_notebook_is_nothing_that_a_run_waits_for() -> None:
    log = turn_with(
        asked("c1", "kernel"),
        begun("c1"),
        e.ToolProgress(turn="t", tool_call="c1", message="half"),
    )
    reader = read(translation("t"), log)
    assert reader.last["code"] == "cut"


def streamed(
    message: str, *deltas: tuple[str, str], content: list[Any] | None = None
) -> list[e.Event]:
    events: list[e.Event] = [
        e.MessageCreated(turn="t", message=message, role="assistant", author=AGENT)
    ]
    for number, (kind, text) in enumerate(deltas):
        where: dict[str, Any] = {
            "turn": "t",
            "message": message,
            "block": f"b{number}",
            "kind": kind,
        }
        events += [e.BlockStarted(**where), e.BlockDelta(**where, delta=text)]
    if content is not None:
        completed = e.MessageCompleted(
            turn="t",
            message=message,
            content=content,
            usage=Usage(input_tokens=5, output_tokens=2, cache_read_input_tokens=7),
        )
        events.append(completed)
    return events


def test_texts_side_by_side_are_one_message_and_others_are_further_ones() -> None:
    content = [
        ThinkingBlock(thinking="hm"),
        TextBlock(text="one "),
        TextBlock(text="text", citations=[{"url": "u"}]),
        ToolUseBlock(id="c1", name="n", input={}),
        TextBlock(text="more"),
    ]
    deltas = [
        ("thinking", "hm"),
        ("text", "one "),
        ("text", "text"),
        ("tool_use", "{}"),
        ("text", "mo"),
    ]
    reader = read(
        translation("t"),
        [*turn_with(*streamed("m", *deltas, content=content)), FINISHED],
    )
    assert reader.texts == {"m.r0": "hm", "m": "one text", "m.1": "more"}
    assert reader.types.count("TEXT_MESSAGE_START") == 2
    cited = next(x for x in reader.customs if x["name"] == "streamchat.citations")
    assert cited["value"] == {"messageId": "m", "citations": [{"url": "u"}]}
    assert reader.last["usage"] == [
        {"inputTokens": 12, "outputTokens": 2, "cachedInputTokens": 7}
    ]


def test_what_was_shown_wrongly_is_replaced() -> None:
    discarded = [
        *streamed("m1", ("thinking", "old thought"), ("text", "old")),
        e.MessageDiscarded(turn="t", message="m1", reason="cut"),
    ]
    again = streamed("m2", ("text", "new"), content=[TextBlock(text="new")])
    reader = read(translation("t"), [*turn_with(*discarded, *again), FINISHED])
    assert {id_: text for id_, text in reader.texts.items() if text} == {"m2": "new"}
    other = streamed("m", ("text", "one"), content=[TextBlock(text="another")])
    reader = read(translation("t"), [*turn_with(*other), FINISHED])
    assert reader.texts == {"m": "another"}


def history(*answers: str) -> Transcript:
    past = Transcript()
    for answer in answers:
        past.add_user(f"q-{answer}", "?")
        past.add_answer(answer, [TextBlock(text=answer)])
        past.add_call(answer, f"c-{answer}", "look", {})
        past.add_result(f"c-{answer}", "found", "ok")
    return past


def known(ids: Collection[str], results: Collection[str] = ()) -> KnownMessages:
    thoughts = frozenset(id_ for id_ in ids if ".r" in id_)
    return KnownMessages(
        ids=frozenset(ids), results=frozenset(results), thoughts=thoughts
    )


def test_history_is_told_to_who_lacks_it_and_to_nobody_else() -> None:
    late = translation("t", history=history("m1", "m2"), known=known(["m1"], ["c-m1"]))
    cleared, snapshot = read(late, []).snapshots
    assert cleared == []
    assert [message["id"] for message in snapshot] == [
        *("q-m1", "m1", "c-m1.result"),
        *("q-m2", "m2", "c-m2.result"),
    ]
    assert snapshot[1]["toolCalls"][0]["function"] == {
        "name": "look",
        "arguments": "{}",
    }
    has_all = known(["m1", "m2", "a message of its own"], ["c-m1", "c-m2"])
    assert (
        read(translation("t", history=history("m1", "m2"), known=has_all), []).snapshots
        == []
    )


def test_replay_takes_back_what_the_client_has_of_a_run_that_was_cut() -> None:
    run = translation(
        "t",
        history=history("m1"),
        known=known(["m1", "m2", "m2.r0"], ["c-m1"]),
        own=frozenset({"m2"}),
    )
    cleared, snapshot = read(run, []).snapshots
    assert [m["role"] for m in cleared] == ["reasoning"]
    assert [m["id"] for m in snapshot] == ["q-m1", "m1", "c-m1.result", "m2.r0"]
    assert snapshot[-1]["content"] == ""


def test_long_history_is_told_from_a_question_on_within_bounds() -> None:
    past = history(*(f"m{number}" for number in range(200)))
    newest = past.newest()
    assert len(newest) == 198
    assert newest[0].role == "user"
    assert newest[-1].id == "c-m199.result"
    past.add_user("huge", "x" * 2_000_000)
    assert past.newest() == []
