from __future__ import annotations

import copy
import time
from dataclasses import replace as with_fields
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.state import Fold
from streamchat_nb.protocol.codec import decode_event, encode
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    BlockDelta,
    BlockStarted,
    EventBase,
    MessageCompleted,
    MessageCreated,
    ToolCompleted,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    TurnStatus,
    UnknownEvent,
)
from streamchat_nb.protocol.frames import ErrorFrame, Live, Snapshot, Subscribed
from streamchat_nb.testing.history import History, Invariant, Leftovers
from streamchat_nb.testing.history_check import check
from tests.unit.testing.recorded_history import KeepingStore, record

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHOR = Author(id="a", name="A", kind="agent")

change: Callable[..., Any] = msgspec.structs.replace


@cache
def _recorded(*, keeping: bool, seed: int = 1) -> History:
    return record(store=KeepingStore() if keeping else MemoryStore(), seed=seed)


def recorded(*, keeping: bool = True, seed: int = 1) -> History:
    return copy.deepcopy(_recorded(keeping=keeping, seed=seed))


@pytest.fixture(autouse=True)
def _quick_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMCHAT_NB_DEMO_TOOL_DELAY_S", "0.02")


# --- what a real service gave is valid -------------------------------------------


@pytest.mark.parametrize("keeping", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_history_of_a_real_service_is_valid(keeping: bool, seed: int) -> None:
    history = recorded(keeping=keeping, seed=seed)

    assert check(history) == []
    often = history.seats["often cut"]
    assert len(often.connections) > 20
    merged = [
        event
        for seat in history.seats.values()
        for event in seen(history, seat.name)
        if isinstance(event, BlockDelta) and event.prev != event.seq - 1
    ]
    assert len(merged) > 3
    lacking = {*range(1, head(history))} - {e.seq for e in history.events}
    assert bool(lacking) is not keeping


def test_long_log_is_checked_quickly() -> None:
    log, message = "l", "m"
    envelope: dict[str, Any] = {"conversation": "c", "turn": "t"}
    events: list[Any] = [
        TurnStarted(message="q", agent="a", **envelope),
        MessageCreated(message=message, role="assistant", author=AUTHOR, **envelope),
        BlockStarted(message=message, block="b0", kind="text", **envelope),
        *(
            BlockDelta(
                message=message, block="b0", kind="text", delta=f"word {n}", **envelope
            )
            for n in range(10_000)
        ),
        MessageCompleted(message=message, content=[], **envelope),
        TurnFinished(status="completed", **envelope),
    ]
    numbered = [change(e, seq=n, prev=n - 1) for n, e in enumerate(events, start=1)]
    history = History(conversation="c", log=log, events=numbered)
    for name in "ab":
        connection = history.seat(name).connect(Cursor(log=log, seq=0))
        connection.received = [
            Subscribed(re=1, conversation="c", log=log, mode="replay", head=1, from_=0),
            *numbered,
        ]

    started = time.perf_counter()
    assert check(history) == []
    assert time.perf_counter() - started < 1


# --- bugs, planted one at a time --------------------------------------------------


def seen(history: History, name: str) -> list[Any]:
    """What a seat saw of the log, over all connections."""
    return [
        received
        for connection in history.seats[name].connections
        for received in connection.received
        if isinstance(received, EventBase | UnknownEvent)
    ]


def place(
    history: History, name: str, fits: Callable[[Any, Any], bool]
) -> tuple[list[Any], int]:
    """The first connection's list and index where two neighbours fit."""
    for connection in history.seats[name].connections:
        received = connection.received
        for at in range(len(received) - 1):
            if fits(received[at], received[at + 1]):
                return received, at
    raise AssertionError("there is no such place; record another history")


def are_deltas(one: Any, other: Any) -> bool:
    return isinstance(one, BlockDelta) and isinstance(other, BlockDelta)


def kind(*types: type) -> Callable[[Any, Any], bool]:
    return lambda one, _: isinstance(one, types)


def relog(history: History, events: list[Any]) -> None:
    """Put other events into the log, as if everybody had seen them so."""
    if len(events) > len(history.events):
        history.sends = []  # their answers name places that are others now
    history.events = [
        change(event, seq=n, prev=n - 1) for n, event in enumerate(events, start=1)
    ]
    history.seats = {}
    history.snapshots = {}


def head(history: History) -> int:
    return history.events[-1].seq


def index(history: History, type_: type, *, last: bool = False) -> int:
    places = [n for n, event in enumerate(history.events) if isinstance(event, type_)]
    return places[-1 if last else 0]


def repeat_a_delta(history: History) -> None:
    received, at = place(history, "steady", are_deltas)
    received.insert(at, received[at])


def repeat_over_a_reconnect(history: History) -> None:
    connections = history.seats["often cut"].connections
    for before, after in pairwise(connections):
        if isinstance(before.received[-1], EventBase) and len(after.received) > 1:
            after.received.insert(1, before.received[-1])
            return


def lose_a_delta(history: History) -> None:
    received, at = place(history, "steady", are_deltas)
    del received[at]


def swap_deltas(history: History) -> None:
    received, at = place(history, "steady", are_deltas)
    received[at : at + 2] = received[at + 1], received[at]


def lose_a_terminal(history: History) -> None:
    del history.events[index(history, TurnFinished, last=True) :]
    relog(history, history.events)


def lose_a_terminal_on_the_way(history: History) -> None:
    received, at = place(history, "steady", kind(TurnFinished))
    received[at + 1] = change(received[at + 1], prev=received[at].prev)
    del received[at]


def end_a_turn_twice(history: History) -> None:
    end = history.events[index(history, TurnFinished)]
    relog(history, [*history.events, end])


def end_a_turn_that_never_began(history: History) -> None:
    relog(history, [*history.events, TurnFinished(turn="t_none", status="completed")])
    history.events[-1] = change(history.events[-1], conversation=history.conversation)


def speak_after_the_end(history: History) -> None:
    status = history.events[index(history, TurnStatus)]
    relog(history, [*history.events, status])


def give_a_stale_snapshot(history: History) -> None:
    connection = history.seats["often cut"].connections[20]
    assert connection.since is not None
    connection.received[:] = snapshot(history, connection.since.seq - 3)


def snapshot(history: History, seq: int, *, as_of: int | None = None) -> list[Any]:
    fold = Fold()
    for event in history.events[:seq]:
        fold.apply(event)
    state = change(fold.state, seq=as_of or seq)
    place_: dict[str, Any] = {"conversation": history.conversation, "log": history.log}
    return [
        Subscribed(re=1, mode="snapshot", head=state.seq, reason="backlog", **place_),
        Snapshot(
            seq=state.seq,
            part=1,
            parts=1,
            state=msgspec.Raw(encode(state)),
            **place_,
        ),
    ]


def give_the_snapshot_of_another_seq(history: History) -> None:
    at = index(history, BlockDelta)
    history.seat("new").connect(None).received[:] = snapshot(
        history, at + 1, as_of=at + 3
    )


def label_a_snapshot_wrongly(history: History) -> None:
    received, at = place(history, "late", kind(Snapshot))
    received[at] = change(received[at], seq=received[at].seq + 1)


def change_the_text_in_a_snapshot(history: History) -> None:
    received, at = place(history, "late", kind(Snapshot))
    # What was asked, not the answer: that may still stream, which breaks I3 as well.
    state = bytes(received[at].state).replace(b"Who is Ada", b"Who is Eda")
    assert state != bytes(received[at].state)
    received[at] = change(received[at], state=msgspec.Raw(state))


def lose_a_part_of_a_snapshot(history: History) -> None:
    received, at = place(history, "late", kind(Snapshot))
    received[at] = change(received[at], part=2, parts=2)


def begin_a_replay_one_late(history: History) -> None:
    for connection in history.seats["often cut"].connections:
        received = connection.received
        has_two = all(isinstance(one, EventBase) for one in received[1:3])
        if connection.since is not None and len(received) > 2 and has_two:
            del received[1]
            return
    raise AssertionError("no replay has two events; record another history")


def announce_a_replay_one_late(history: History) -> None:
    for connection in history.seats["often cut"].connections:
        first = connection.received[0] if connection.received else None
        if connection.since is not None and isinstance(first, Subscribed):
            assert first.from_ is not None
            connection.received[0] = change(first, from_=first.from_ + 1)
            return


def resume_from_elsewhere(history: History) -> None:
    connection = history.seats["often cut"].connections[20]
    assert connection.since is not None
    connection.since = change(connection.since, seq=connection.since.seq - 1)


def end_a_tool_after_its_turn(history: History) -> None:
    events = list(history.events)
    late = events.pop(index(history, ToolCompleted))
    relog(history, [*events, late])


def start_a_tool_twice(history: History) -> None:
    events = list(history.events)
    at = index(history, ToolStarted)
    relog(history, [*events[: at + 1], *events[at:]])


def start_a_tool_after_its_end(history: History) -> None:
    events = list(history.events)
    at = index(history, ToolCompleted)
    again = change(events[index(history, ToolStarted)], attempt=2)
    relog(history, [*events[: at + 1], again, *events[at + 1 :]])


def never_end_a_tool(history: History) -> None:
    events = list(history.events)
    del events[index(history, ToolCompleted)]
    relog(history, events)


def forget_an_acked_send(history: History) -> None:
    id_ = history.sends[1].client_message_id
    events = [e for e in history.events if getattr(e, "client_message_id", "") != id_]
    relog(history, events)


def log_a_send_twice(history: History) -> None:
    again = history.events[index(history, MessageCreated)]
    seq = head(history) + 1
    history.events.append(change(again, turn=None, seq=seq, prev=seq - 1))
    history.snapshots = {}


def log_a_refused_send(history: History) -> None:
    history.sends[1].answers = [ErrorFrame(code="queue_full", message="Full.", re=1)]


def log_another_content(history: History) -> None:
    history.sends[1].content = [TextBlock(text="something else")]


def answer_with_another_turn(history: History) -> None:
    sent = history.sends[0]
    other = history.sends[1].acks[0].result
    sent.answers[1] = change(sent.acks[1], result=other)


def acknowledge_too_early(history: History) -> None:
    sent = history.sends[1]
    sent.answers[0] = change(sent.acks[0], seq=1)


def reorder_sends(history: History) -> None:
    sends = history.sends
    sends[1:3] = sends[2], sends[1]


def mix_in_another_conversation(history: History) -> None:
    received, at = place(history, "steady", are_deltas)
    received[at] = change(received[at], conversation="c_other")


def subscribe_to_another_log(history: History) -> None:
    received, at = place(history, "often cut", kind(Subscribed))
    received[at] = change(received[at], log="0" * 32)


def invent_an_event(history: History) -> None:
    received, at = place(history, "steady", kind(ToolCompleted))
    received[at] = change(received[at], output="another output")


def hide_a_gap(history: History) -> None:
    received, at = place(
        history,
        "steady",
        lambda one, other: isinstance(one, TurnStatus) and isinstance(other, EventBase),
    )
    received[at + 1] = change(received[at + 1], prev=received[at].prev)
    del received[at]


def hide_a_lost_delta(history: History) -> None:
    received, at = place(history, "steady", are_deltas)
    received[at + 1] = change(received[at + 1], prev=received[at].prev)
    del received[at]


def change_a_merged_text(history: History) -> None:
    received, at = place(
        history,
        "from the start",
        lambda one, _: isinstance(one, BlockDelta) and one.prev != one.seq - 1,
    )
    text = received[at].delta
    received[at] = change(received[at], delta=text[1] + text[0] + text[2:])


def run_ahead_of_the_log(history: History) -> None:
    last = seen(history, "steady")[-1]
    ahead = TurnStatus(
        conversation=history.conversation,
        seq=last.seq + 1,
        prev=last.seq,
        phase="thinking",
        label="",
    )
    history.seats["steady"].connections[-1].received.append(ahead)


def go_live_too_early(history: History) -> None:
    received, at = place(history, "often cut", kind(Subscribed))
    received.insert(
        at + 1, Live(conversation=history.conversation, seq=received[at].head + 1)
    )


def keep_an_old_state(history: History) -> None:
    history.snapshots["the server"].messages.pop()


def keep_a_state_behind(history: History) -> None:
    fold = Fold()
    for event in history.events[:-1]:
        fold.apply(event)
    history.snapshots["a widget"] = fold.state


PLANTED: list[tuple[Invariant, Callable[[History], None]]] = [
    ("I1", repeat_a_delta),
    ("I1", repeat_over_a_reconnect),
    ("I1", lose_a_delta),
    ("I1", swap_deltas),
    ("I1", give_a_stale_snapshot),
    ("I1", lose_a_part_of_a_snapshot),
    ("I1", begin_a_replay_one_late),
    ("I1", announce_a_replay_one_late),
    ("I1", resume_from_elsewhere),
    ("I1", hide_a_gap),
    ("I1", lose_a_terminal_on_the_way),
    ("I1", go_live_too_early),
    ("I2", forget_an_acked_send),
    ("I2", log_a_send_twice),
    ("I2", log_a_refused_send),
    ("I2", log_another_content),
    ("I2", answer_with_another_turn),
    ("I2", acknowledge_too_early),
    ("I2", reorder_sends),
    ("I3", mix_in_another_conversation),
    ("I3", subscribe_to_another_log),
    ("I3", invent_an_event),
    ("I3", hide_a_lost_delta),
    ("I3", change_a_merged_text),
    ("I3", run_ahead_of_the_log),
    ("I4", give_the_snapshot_of_another_seq),
    ("I4", label_a_snapshot_wrongly),
    ("I4", change_the_text_in_a_snapshot),
    ("I4", keep_an_old_state),
    ("I4", keep_a_state_behind),
    ("I5", lose_a_terminal),
    ("I5", end_a_turn_twice),
    ("I5", end_a_turn_that_never_began),
    ("I5", speak_after_the_end),
    ("I6", end_a_tool_after_its_turn),
    ("I6", start_a_tool_twice),
    ("I6", start_a_tool_after_its_end),
    ("I6", never_end_a_tool),
]


@pytest.mark.parametrize(
    ("invariant", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED]
)
def test_planted_bug_is_caught_and_named(
    invariant: Invariant, plant: Callable[[History], None]
) -> None:
    history = recorded()

    plant(history)

    violations = check(history)
    assert {violation.invariant for violation in violations} == {invariant}, violations


def test_seats_that_differ_where_the_log_has_dropped_deltas_are_caught() -> None:
    history = recorded(keeping=False)
    received, at = place(history, "steady", are_deltas)
    received[at] = change(received[at], delta=received[at].delta + "!")

    assert {violation.invariant for violation in check(history)} == {"I3"}


def test_log_that_lacks_what_must_not_be_dropped_is_caught() -> None:
    history = recorded(keeping=False)
    del history.events[index(history, TurnStarted)]
    history.seats, history.snapshots = {}, {}

    assert "I1" in {violation.invariant for violation in check(history)}


@pytest.mark.parametrize(
    "left",
    [
        {"turns": ("t_1",)},
        {"tasks": ("streamchat turn t_1",)},
        {"sockets": 3},
        {"file_descriptors": 7},
    ],
)
def test_what_is_left_behind_is_caught(left: dict[str, Any]) -> None:
    history = recorded()
    history.leftovers = with_fields(Leftovers(), **left)

    [violation] = check(history)
    assert violation.invariant == "I7"
    assert str(violation).startswith("I7: ")


def test_unknown_events_are_events() -> None:
    history = recorded()
    new = b'{"type":"turn.rated","conversation":"%s","seq":%d,"prev":%d}' % (
        history.conversation.encode(),
        head(history) + 1,
        head(history),
    )
    history.events.append(decode_event(new))
    history.snapshots = {}
    history.seats["steady"].connections[-1].received.append(decode_event(new))

    assert check(history) == []
