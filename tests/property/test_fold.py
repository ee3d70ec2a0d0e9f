"""A snapshot anywhere in a log, plus the rest of the log, is the whole log."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamchat_nb.conversation.compaction import Compaction
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import (
    Author,
    ContentBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)

LOGS = [
    [
        decode_event(msgspec.json.encode(event))
        for event in msgspec.json.decode(path.read_bytes())["events"]
    ]
    for path in sorted((Path(__file__).parents[1] / "fixtures/logs").glob("*.json"))
]
AUTHOR = Author(id="a", name="A", kind="agent")

# Few ids, so that events meet: what is there, what is not, and what came twice.
messages = st.sampled_from(["m1", "m2"])
blocks = st.sampled_from(["b0", "b1", "b2"])
calls = st.sampled_from(["c1", "c2"])
turns = st.sampled_from(["t1", "t2"])
texts = st.sampled_from(["", "a", "b c", "\n", '"\\', "é", "👩\u200d", "\x00"])
kinds = st.sampled_from(["text", "thinking", "tool_use"])
contents: st.SearchStrategy[ContentBlock] = st.one_of(
    st.builds(TextBlock, text=texts),
    st.builds(ThinkingBlock, thinking=texts),
    st.builds(ToolUseBlock, id=calls, name=st.just("n"), input=st.just({})),
)
block = {"message": messages, "block": blocks, "kind": kinds}
events: st.SearchStrategy[e.Event | e.UnknownEvent] = st.one_of(
    st.builds(e.ConversationCreated, title=texts, conversation=st.just("c")),
    st.builds(e.ConversationUpdated, title=st.none() | texts),
    st.builds(
        e.MessageCreated,
        message=messages,
        role=st.sampled_from(["user", "assistant"]),
        author=st.just(AUTHOR),
        content=st.none() | st.lists(contents, max_size=2),
    ),
    st.builds(
        e.MessageCompleted,
        message=messages,
        content=st.lists(contents, max_size=3),
        partial=st.booleans(),
    ),
    st.builds(e.MessageDiscarded, message=messages, reason=texts),
    st.builds(e.BlockStarted, **block),
    st.builds(e.BlockDelta, **block, delta=texts),
    st.builds(e.BlockDelta, **block, delta=texts),
    st.builds(e.BlockCompleted, **block, content=st.none() | contents),
    st.builds(
        e.ToolRequested,
        message=messages,
        block=blocks,
        tool_call=calls,
        name=texts,
        label=texts,
        input=st.just({}),
    ),
    st.builds(e.ToolStarted, tool_call=calls, attempt=st.integers(1, 2)),
    st.builds(
        e.ToolProgress,
        tool_call=calls,
        message=st.none() | texts,
        fraction=st.none() | st.floats(0, 1),
    ),
    st.builds(
        e.ToolCompleted,
        tool_call=calls,
        status=st.sampled_from(["ok", "error"]),
        output=texts,
    ),
    st.builds(e.TurnQueued, turn=turns, message=messages),
    st.builds(e.TurnStarted, turn=turns, message=messages, agent=texts),
    st.builds(e.TurnStatus, turn=turns, phase=st.just("thinking"), label=texts),
    st.builds(e.TurnFinished, turn=turns, status=st.just("completed")),
    st.builds(e.UnknownEvent, type=st.just("new.type")),
)


@st.composite
def made_up_logs(draw: st.DrawFn) -> list[e.Event | e.UnknownEvent]:
    log: list[e.Event | e.UnknownEvent] = []
    seq = 0
    for event in draw(st.lists(events, max_size=25)):
        seq += draw(st.integers(1, 3))
        log.append(msgspec.structs.replace(event, seq=seq))
    return log


logs = st.sampled_from(LOGS) | made_up_logs()


def fold_of(
    log: list[e.Event | e.UnknownEvent], state: ConversationState | None = None
) -> Fold:
    fold = Fold(state)
    for event in log:
        fold.apply(event)
    return fold


@settings(deadline=None)
@given(log=logs, data=st.data())
def test_log_split_anywhere_gives_the_same_state(
    log: list[e.Event | e.UnknownEvent], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(log)), label="split")

    snapshot = msgspec.json.encode(fold_of(log[:at]).state)
    resumed = fold_of(log[at:], msgspec.json.decode(snapshot, type=ConversationState))

    assert msgspec.json.encode(resumed.state) == msgspec.json.encode(fold_of(log).state)


@settings(deadline=None)
@given(log=logs, data=st.data())
def test_log_with_events_repeated_gives_the_same_state(
    log: list[e.Event | e.UnknownEvent], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(log)), label="resume at")
    back = data.draw(st.integers(0, at), label="replay from")

    repeated = fold_of([*log[:at], *log[back:]])

    assert repeated.state == fold_of(log).state


@settings(deadline=None)
@given(log=logs, data=st.data())
def test_log_without_what_is_dropped_gives_the_same_state(
    log: list[e.Event | e.UnknownEvent], data: st.DataObject
) -> None:
    ends = [i for i, event in enumerate(log) if isinstance(event, e.TurnFinished)]
    at = data.draw(st.integers(0, len(log)), label="reader's cursor")
    end = data.draw(st.sampled_from([*ends, len(log)]), label="dropped at the end of")

    compaction = Compaction()
    for event in log[:end]:
        compaction.observe(event)
    dropped = compaction.with_events(log[end : end + 1])
    kept = [
        event
        for event in log
        if not any(first <= event.seq <= last for first, last in dropped)
    ]
    state = msgspec.json.encode(fold_of(log[:at]).state)
    reader = fold_of(
        [event for event in kept if at == 0 or event.seq > log[at - 1].seq],
        msgspec.json.decode(state, type=ConversationState),
    )

    assert msgspec.json.encode(reader.state) == msgspec.json.encode(fold_of(log).state)
    assert kept[-1:] == log[-1:]
    gone = [event for event in log if event not in kept]
    assert all(isinstance(event, e.BlockDelta | e.ToolProgress) for event in gone)


@settings(deadline=None)
@given(log=logs, looks=st.lists(st.booleans(), max_size=50))
def test_looking_at_the_state_changes_nothing(
    log: list[e.Event | e.UnknownEvent], looks: list[bool]
) -> None:
    fold = Fold()
    for index, event in enumerate(log):
        fold.apply(event)
        if index < len(looks) and looks[index]:
            assert fold.state.seq == event.seq

    assert fold.state == fold_of(log).state


@settings(deadline=None)
@given(log=logs)
def test_every_event_travels_unchanged(log: list[e.Event | e.UnknownEvent]) -> None:
    for event in log:
        assert decode_event(msgspec.json.encode(event)) == event
