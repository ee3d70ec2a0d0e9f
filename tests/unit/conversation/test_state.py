from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamchat_nb.conversation.state import BlockState, ConversationState, Fold
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    BlockStarted,
    ConversationCreated,
    Event,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnStatus,
    UnknownEvent,
)

LOGS = sorted((Path(__file__).parents[2] / "fixtures" / "logs").glob("*.json"))
AGENT = Author(id="assistant", name="Agent", kind="agent")


def read_log(path: Path) -> tuple[list[Event | UnknownEvent], Any]:
    log = msgspec.json.decode(path.read_bytes())
    return [decode_event(msgspec.json.encode(e)) for e in log["events"]], log["state"]


def as_json(state: ConversationState) -> object:
    return msgspec.json.decode(msgspec.json.encode(state))


def streaming_message() -> Fold:
    fold = Fold()
    fold.apply(MessageCreated(seq=1, message="m1", role="assistant", author=AGENT))
    fold.apply(BlockStarted(seq=2, message="m1", block="b0", kind="text"))
    return fold


def delta(seq: int, text: str, block: str = "b0") -> BlockDelta:
    return BlockDelta(seq=seq, message="m1", block=block, kind="text", delta=text)


def only_block(fold: Fold) -> BlockState:
    return fold.state.messages[0].blocks[0]


def test_recorded_logs_are_there() -> None:
    assert len(LOGS) >= 8


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_recorded_log_gives_its_state(path: Path) -> None:
    events, expected = read_log(path)
    fold = Fold()

    for event in events:
        fold.apply(event)

    assert as_json(fold.state) == expected


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_recorded_log_applied_twice_gives_the_same_state(path: Path) -> None:
    events, expected = read_log(path)
    fold = Fold()

    for event in events:
        fold.apply(event)
        fold.apply(event)
    for event in events:
        fold.apply(event)

    assert as_json(fold.state) == expected


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_recorded_log_looked_at_after_every_event_gives_the_same_state(
    path: Path,
) -> None:
    events, expected = read_log(path)
    fold = Fold()

    for event in events:
        fold.apply(event)
        assert fold.state.seq == fold.seq == event.seq

    assert as_json(fold.state) == expected


def test_new_fold_has_an_empty_state() -> None:
    assert Fold().state == ConversationState()
    assert Fold().seq == 0


def test_states_share_no_lists() -> None:
    first = Fold()
    first.apply(MessageCreated(seq=1, message="m1", role="assistant", author=AGENT))

    assert Fold().state.messages == []


def test_event_at_or_below_the_cursor_changes_nothing() -> None:
    fold = streaming_message()
    fold.apply(delta(3, "once"))

    fold.apply(delta(3, "twice"))
    fold.apply(delta(1, "thrice"))

    assert only_block(fold).text == "once"
    assert fold.seq == 3


def test_deltas_are_joined_in_order() -> None:
    fold = streaming_message()

    fold.apply(delta(3, "Hel"))
    assert only_block(fold).text == "Hel"
    fold.apply(delta(4, "lo"))
    fold.apply(delta(9, "!"))

    assert only_block(fold).text == "Hello!"


def test_completed_block_replaces_its_deltas_and_takes_no_more() -> None:
    fold = streaming_message()
    fold.apply(delta(3, "draft"))

    content = TextBlock(text="final")
    fold.apply(
        BlockCompleted(
            seq=4, message="m1", block="b0", kind="text", content=content, partial=True
        )
    )
    fold.apply(delta(5, " and more"))

    assert only_block(fold) == BlockState(
        block="b0", kind="text", text="final", content=content, partial=True
    )


def test_completed_message_replaces_its_blocks() -> None:
    fold = streaming_message()
    fold.apply(BlockStarted(seq=3, message="m1", block="b7", kind="text"))
    fold.apply(delta(4, "draft", block="b7"))

    content = TextBlock(text="final")
    fold.apply(MessageCompleted(seq=5, message="m1", content=[content], partial=True))
    fold.apply(delta(6, "late", block="b7"))

    assert fold.state.messages[0].status == "partial"
    assert [block.block for block in fold.state.messages[0].blocks] == ["b0"]
    assert only_block(fold).text == "final"


@pytest.mark.parametrize(
    "event",
    [
        delta(2, "x"),
        BlockStarted(seq=2, message="m1", block="b0", kind="text"),
        BlockCompleted(seq=2, message="m1", block="b0", kind="text"),
        MessageCompleted(seq=2, message="m1", content=[TextBlock(text="x")]),
        MessageDiscarded(seq=2, message="m1", reason="x"),
        ToolStarted(seq=2, tool_call="c1"),
        ToolProgress(seq=2, tool_call="c1", message="x"),
        ToolCompleted(seq=2, tool_call="c1", status="ok", output="x"),
        TurnStatus(seq=2, turn="t1", phase="thinking", label="x"),
        TurnStatus(seq=2, phase="thinking", label="x"),
        TurnFinished(seq=2, turn="t1", status="completed"),
        UnknownEvent(seq=2, type="message.starred"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_event_about_what_is_not_there_only_advances(event: Event) -> None:
    fold = Fold()
    fold.apply(ConversationCreated(seq=1, conversation="c1", title="T", ts=5))

    fold.apply(event)

    assert fold.state == ConversationState(
        conversation="c1", seq=2, title="T", created_ts=5
    )


def test_look_ups_by_id_find_what_the_state_has() -> None:
    events, _ = read_log(next(path for path in LOGS if path.stem == "tool_turn"))
    fold = Fold()
    for event in events:
        fold.apply(event)

    assert fold.message("m2") is fold.state.messages[1]
    assert fold.turn("t1") is fold.state.turns[0]
    assert fold.tool_call("toolu_1") is fold.state.tool_calls[0]
    assert fold.message("m9") is fold.turn("t9") is fold.tool_call("c9") is None


def test_cost_of_a_delta_does_not_grow_with_the_answer() -> None:
    def seconds_for(deltas: int) -> float:
        fold = streaming_message()
        events = [delta(3 + index, "token ") for index in range(deltas)]
        start = time.thread_time()
        for event in events:
            fold.apply(event)
        assert len(only_block(fold).text) == 6 * deltas
        return time.thread_time() - start

    seconds_for(1_000)
    short = min(seconds_for(2_000) for _ in range(3))
    long = min(seconds_for(40_000) for _ in range(3))

    assert long < 20 * short * 5  # linear is 20 times; quadratic would be 400


def test_progress_keeps_its_last_lines_and_none_twice_in_a_row() -> None:
    fold = Fold()
    requested = ToolRequested(
        seq=1, message="m", block="b0", tool_call="c", name="x", label="x", input={}
    )
    fold.apply(requested)
    for seq in range(2, 60):
        line = f"line {seq // 2}"
        fold.apply(ToolProgress(seq=seq, tool_call="c", message=line))
    call = fold.tool_call("c")
    assert call is not None
    assert call.progress_log == [f"line {number}" for number in range(10, 30)]
    fold.apply(ToolProgress(seq=60, tool_call="c", fraction=0.5))
    assert call.progress_log[-1] == "line 29"
    fold.apply(ToolCompleted(seq=61, tool_call="c", status="ok", output="x"))
    assert call.progress_log == []
