from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from streamchat_nb.agent.closing import open_ends
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import (
    Author,
    ContentBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

AGENT = Author(id="a", name="A", kind="agent")


def fold_of(events: Sequence[e.Event], *, turn: str = "t1") -> Fold:
    fold = Fold()
    apply(fold, events, turn=turn)
    return fold


def apply(fold: Fold, events: Sequence[e.Event], *, turn: str = "t1") -> None:
    for event in events:
        fold.apply(msgspec.structs.replace(event, seq=fold.seq + 1, turn=turn))


def begun(message: str = "m1") -> list[e.Event]:
    return [e.MessageCreated(message=message, role="assistant", author=AGENT)]


def block(
    name: str, kind: e.BlockKind, text: str = "", content: ContentBlock | None = None
) -> list[e.Event]:
    events: list[e.Event] = [e.BlockStarted(message="m1", block=name, kind=kind)]
    if text:
        events.append(e.BlockDelta(message="m1", block=name, kind=kind, delta=text))
    if content is not None:
        events.append(
            e.BlockCompleted(message="m1", block=name, kind=kind, content=content)
        )
    return events


def requested(tool_call: str) -> e.ToolRequested:
    return e.ToolRequested(
        message="m1", block="b0", tool_call=tool_call, name="f", label="F", input={}
    )


def test_nothing_open_has_no_ends() -> None:
    assert open_ends(ConversationState(), "t1", status="cancelled") == []
    done = e.MessageCompleted(message="m1", content=[TextBlock(text="whole")])
    fold = fold_of([*begun(), done])
    assert open_ends(fold.state, "t1", status="cancelled") == []


def test_discarded_message_is_not_open() -> None:
    fold = fold_of([*begun(), e.MessageDiscarded(message="m1", reason="retry")])
    assert open_ends(fold.state, "t1", status="failed") == []


def test_message_ends_as_partial_with_what_was_seen() -> None:
    fold = fold_of(
        [
            *begun(),
            *block("b0", "thinking", "hm", ThinkingBlock(thinking="hm", signature="s")),
            *block("b1", "text", "Half an ans"),
        ]
    )
    content = [
        ThinkingBlock(thinking="hm", signature="s"),
        TextBlock(text="Half an ans"),
    ]
    assert open_ends(fold.state, "t1", status="cancelled") == [
        e.BlockCompleted(
            turn="t1",
            message="m1",
            block="b1",
            kind="text",
            content=content[1],
            partial=True,
        ),
        e.MessageCompleted(
            turn="t1", message="m1", content=list(content), partial=True
        ),
    ]


def test_unfinished_thinking_stays_for_the_reader() -> None:
    fold = fold_of([*begun(), *block("b0", "thinking", "I wonder")])
    *_, end = open_ends(fold.state, "t1", status="cancelled")
    assert isinstance(end, e.MessageCompleted)
    assert end.content == [ThinkingBlock(thinking="I wonder")]


def test_blank_text_and_half_a_tool_use_go_and_a_whole_one_stays() -> None:
    use = ToolUseBlock(id="c1", name="f", input={})
    fold = fold_of(
        [
            *begun(),
            *block("b0", "text", " \n"),
            *block("b1", "tool_use", "{}", use),
            *block("b2", "tool_use", '{"que'),
            *block("b3", "thinking"),
        ]
    )
    ends = open_ends(fold.state, "t1", status="cancelled")
    assert [type(end).__name__ for end in ends] == ["BlockCompleted"] * 3 + [
        "MessageCompleted"
    ]
    assert isinstance(ends[-1], e.MessageCompleted)
    assert ends[-1].content == [use]
    assert ends[1] == e.BlockCompleted(
        turn="t1", message="m1", block="b2", kind="tool_use", partial=True
    )


@pytest.mark.parametrize(
    ("status", "running", "waiting"),
    [
        (
            "cancelled",
            ("cancelled", "the turn was cancelled while the tool ran; it may have had"),
            ("cancelled", "the turn was cancelled before the tool ran; it did not run"),
        ),
        (
            "failed",
            (
                "cancelled",
                "the turn failed while the tool ran; it may have had effects",
            ),
            ("cancelled", "the turn failed before the tool ran; it did not run"),
        ),
        (
            "interrupted",
            ("unknown", "the server stopped while the tool ran; it may have run"),
            ("cancelled", "the server stopped before the tool ran; it did not run"),
        ),
        (
            "completed",
            ("cancelled", "the turn ended while the tool ran"),
            ("cancelled", "the turn ended before the tool ran"),
        ),
    ],
)
def test_tool_calls_end_by_what_is_known(
    status: e.TurnEndStatus, running: tuple[str, str], waiting: tuple[str, str]
) -> None:
    fold = fold_of(
        [
            *begun(),
            e.MessageCompleted(message="m1", content=[]),
            requested("c1"),
            requested("c2"),
            requested("c3"),
            e.ToolStarted(tool_call="c1"),
            e.ToolStarted(tool_call="c3"),
            e.ToolCompleted(tool_call="c3", status="ok", output="fine"),
        ]
    )
    first, second = open_ends(fold.state, "t1", status=status)
    assert isinstance(first, e.ToolCompleted)
    assert isinstance(second, e.ToolCompleted)
    assert (first.tool_call, first.status) == ("c1", running[0])
    assert running[1] in first.output
    assert (second.tool_call, second.status) == ("c2", waiting[0])
    assert waiting[1] in second.output


def test_other_turns_are_left_alone() -> None:
    fold = fold_of([*begun(), requested("c1")], turn="t2")
    assert open_ends(fold.state, "t1", status="cancelled") == []
    assert len(open_ends(fold.state, "t2", status="cancelled")) == 2


def test_ends_close_all_and_asking_again_gives_none() -> None:
    fold = fold_of([*begun(), *block("b0", "text", "Hel"), requested("c1")])
    apply(fold, open_ends(fold.state, "t1", status="cancelled"))
    assert open_ends(fold.state, "t1", status="cancelled") == []
    assert fold.state.messages[0].status == "partial"
    assert fold.state.messages[0].blocks[0].text == "Hel"
    assert fold.state.tool_calls[0].status == "cancelled"
