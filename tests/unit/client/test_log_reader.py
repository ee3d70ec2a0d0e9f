from __future__ import annotations

import msgspec
import pytest

from streamchat_nb.client.event_page import EventPage
from streamchat_nb.client.followed_log import FollowedLog
from streamchat_nb.client.log_reader import LogReader
from streamchat_nb.client.stream_session import EventStream
from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.errors import BadFrame, ConnectError
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import ConversationUpdated
from streamchat_nb.protocol.frames import (
    Live,
    Participant,
    Presence,
    Snapshot,
    Subscribed,
    Unsubscribed,
)


class Nowhere:
    async def follow(self, log: FollowedLog) -> None:
        """Nothing is delivered by itself."""


def begun(mode: str = "snapshot") -> tuple[FollowedLog, LogReader]:
    log = FollowedLog("c", Nowhere())
    reader = LogReader(log, 7)
    assert reader.take(event(1)) == "read"  # of an older delivery
    frame = {"re": 7, "conversation": "c", "log": "l", "mode": mode, "head": 2}
    assert reader.take(msgspec.convert({**frame, "re": 6}, Subscribed)) == "read"
    assert reader.take(event(1)) == "read"
    assert log.seq == 0
    assert reader.take(msgspec.convert(frame, Subscribed)) == "read"
    return log, reader


def event(seq: int) -> ConversationUpdated:
    return ConversationUpdated(seq=seq, prev=seq - 1, title=str(seq))


def part(number: int, parts: int, **state: object) -> Snapshot:
    raw = msgspec.Raw(msgspec.json.encode({"seq": 2, **state}))
    return Snapshot(
        conversation="c", log="l", seq=2, part=number, parts=parts, state=raw
    )


def test_parts_become_one_state_and_events_go_on() -> None:
    log, reader = begun()
    assert reader.take(part(1, 2, title="two parts")) == "read"
    assert reader.take(event(2)) == "read"
    assert log.cursor is None
    assert reader.take(part(2, 2)) == "read"
    assert (log.seq, log.state.title) == (2, "two parts")
    assert reader.take(event(3)) == "read"
    assert reader.take(Live(conversation="c", seq=3)) == "read"
    someone = Participant(client="k", user="Ada")
    presence = Presence(conversation="c", participants=[someone], count=1)
    assert reader.take(presence) == "read"
    assert log.participants == [someone]
    assert log.state.title == "3"


def test_missing_part_and_missing_event_are_gaps() -> None:
    _, reader = begun()
    assert reader.take(part(2, 2)) == "gap"
    _, reader = begun()
    reader.take(part(1, 1))
    assert reader.take(event(5)) == "gap"


@pytest.mark.parametrize("reason", ["deleted", "failed"])
def test_end_of_a_delivery_says_why(reason: str) -> None:
    _, reader = begun()
    frame = msgspec.convert({"conversation": "c", "reason": reason}, Unsubscribed)
    assert reader.take(frame) == reason


def test_state_of_another_version_is_refused() -> None:
    _, reader = begun()
    with pytest.raises(BadFrame, match="does not understand"):
        reader.take(part(1, 1, messages=7))


def test_pages_are_applied_by_the_same_rules() -> None:
    log = FollowedLog("c", Nowhere())
    reader = LogReader(log, 0)
    raw = [msgspec.Raw(encode(event(n))) for n in (3, 4)]
    replay = EventPage(log="l", head=4, mode="replay", events=raw)
    assert reader.take_page(replay) == "gap"
    state = msgspec.Raw(encode(ConversationState(seq=2)))
    page = EventPage(log="l", head=2, mode="snapshot", snapshot=state)
    assert reader.take_page(page) == "read"
    assert reader.take_page(replay) == "read"
    assert reader.take_page(replay) == "read"
    assert log.seq == 4
    assert reader.take_page(msgspec.structs.replace(replay, log="other")) == "gap"


def test_items_of_a_stream_may_be_cut_anywhere() -> None:
    stream = b": hello\n\nid: l:0\nretry: 2000\ndata:\n\nevent: x\ndata: {}\n\n:\n\n"
    for size in range(1, len(stream) + 1):
        splitter, items = EventStream(), list[bytes]()
        for start in range(0, len(stream), size):
            items += splitter.feed(stream[start : start + size])
        assert items == [b"", b"{}"]


def test_item_without_an_end_is_bounded() -> None:
    splitter = EventStream()
    assert splitter.feed(b"data: " + b"x" * 16_000_000) == []
    with pytest.raises(ConnectError, match="too long"):
        splitter.feed(b"x" * 1_000_000)
