from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from streamchat_nb.conversation import compaction as module
from streamchat_nb.conversation.compaction import Compaction
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import Author
from streamchat_nb.protocol.events import (
    BlockDelta,
    Event,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
)

if TYPE_CHECKING:
    from streamchat_nb.protocol.events import UnknownEvent

LOGS = Path(__file__).parents[2] / "fixtures/logs"
AGENT = Author(id="a", name="A", kind="agent")


def recorded(name: str) -> list[Event | UnknownEvent]:
    events = msgspec.json.decode((LOGS / f"{name}.json").read_bytes())["events"]
    return [decode_event(msgspec.json.encode(event)) for event in events]


def observed(*events: Event | UnknownEvent, numbered: bool = False) -> Compaction:
    compaction = Compaction()
    for seq, event in enumerate(events, 1):
        compaction.observe(event if numbered else at(seq, event))
    return compaction


def at(seq: int, event: Event | UnknownEvent) -> Event | UnknownEvent:
    return msgspec.structs.replace(event, seq=seq, prev=seq - 1)


def message(name: str) -> MessageCreated:
    return MessageCreated(message=name, role="assistant", author=AGENT)


def delta(name: str) -> BlockDelta:
    return BlockDelta(message=name, block="b0", kind="text", delta="x")


def completed(name: str) -> MessageCompleted:
    return MessageCompleted(message=name, content=[])


def call(name: str) -> ToolRequested:
    return ToolRequested(
        message="m", block="b1", tool_call=name, name="n", label="l", input={}
    )


def done(name: str) -> ToolCompleted:
    return ToolCompleted(tool_call=name, status="ok", output="o")


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("tool_turn", [(7, 8), (11, 12), (18, 20), (24, 25)]),
        ("cancelled", [(7, 8), (13, 14)]),
        # One message was discarded; one failed and never completed.
        ("retry_discarded", [(12, 13)]),
        ("failed", []),
    ],
)
def test_recorded_log_drops_what_is_repeated_later(
    name: str, dropped: list[tuple[int, int]]
) -> None:
    compaction = observed(*recorded(name), numbered=True)
    assert compaction.with_events([]) == dropped


def test_open_discarded_and_unknown_ones_are_kept() -> None:
    compaction = observed(
        *(delta("unknown"), ToolProgress(tool_call="unknown"), completed("unknown")),
        *(message("open"), delta("open"), call("runs"), ToolProgress(tool_call="runs")),
        *(message("void"), delta("void")),
        *(MessageDiscarded(message="void", reason="retry"), completed("void")),
        *(call("ran"), done("ran"), ToolProgress(tool_call="ran"), done("ran")),
    )
    assert compaction.with_events([]) == []


def test_ranges_that_touch_are_joined() -> None:
    compaction = observed(
        *(message("m"), call("c1"), call("c2")),
        *(ToolProgress(tool_call="c1"), ToolProgress(tool_call="c2")),
        *(delta("m"), ToolProgress(tool_call="c1"), delta("m")),
        *(done("c2"), completed("m"), done("c1")),
    )
    assert compaction.with_events([]) == [(4, 8)]


def test_deltas_that_were_joined_count_for_all_of_them() -> None:
    compaction = observed(message("m"), call("c"))
    several = msgspec.structs.replace(delta("m"), seq=5, prev=2)
    compaction.observe(several)
    compaction.observe(at(6, ToolProgress(tool_call="c")))
    compaction.observe(msgspec.structs.replace(delta("m"), seq=9, prev=6))
    compaction.observe(at(10, delta("m")))
    compaction.observe(at(11, completed("m")))
    assert compaction.with_events([]) == [(3, 5), (7, 10)]


def test_events_that_may_fail_to_be_written_leave_no_note() -> None:
    compaction = observed(message("m"), delta("m"))
    batch = [at(seq, event) for seq, event in ((3, delta("m")), (4, completed("m")))]
    assert compaction.with_events(batch) == [(2, 3)]
    assert compaction.with_events([]) == []
    assert compaction.with_events(batch) == [(2, 3)]
    for event in batch:
        compaction.observe(event)
    assert compaction.with_events([]) == [(2, 3)]
    compaction.clear()
    assert compaction.with_events([]) == []


def test_notes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RANGES_EACH", 3)
    monkeypatch.setattr(module, "RANGES", 4)
    rounds = [message("m"), call("c")]
    for _ in range(10):
        rounds += [delta("m"), ToolProgress(tool_call="c")]
    compaction = observed(*rounds, done("c"), completed("m"))
    # Three of the call and one of the message; the rest is kept.
    assert compaction.with_events([]) == [(3, 4), (6, 6), (8, 8)]
