"""Whether what everybody saw of a conversation is what was promised.

==  ==========================================================================
I1  ``seq`` rises without a gap; nobody loses, repeats or goes back. ``prev`` shows
    where deltas were joined or left out, and every resume fits its cursor.
I2  What was acknowledged is in the log exactly once; what was refused is not.
I3  Everybody saw the beginning of one log: the same events, the same text.
I4  A snapshot, and the fold of what somebody saw, is the fold of the log.
I5  Each turn that was queued or started ends exactly once, with nothing after it.
I6  A tool call starts at most once for each attempt and ends exactly once, within
    its turn.
I7  Nothing is left running or open.
==  ==========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.protocol.events import (
    MessageCreated,
    MessageEdited,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)
from streamchat_nb.testing.history import History, Invariant, Violation
from streamchat_nb.testing.history_log import RecordedLog
from streamchat_nb.testing.history_seat import SeatReplay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.testing.history import Sent

__all__ = ["check"]

_ToolEvent = ToolRequested | ToolStarted | ToolProgress | ToolCompleted


def check(history: History) -> list[Violation]:
    """Return every promise that did not hold; pure.

    A seat is checked up to the first thing that is wrong with what it saw.
    """
    log = RecordedLog(history)
    seats = [SeatReplay(seat, log) for seat in history.seats.values()]
    return [
        *log.violations(),
        *_turn_violations(history),
        *_tool_violations(history),
        *_send_violations(history),
        *(violation for seat in seats for violation in seat.run()),
        *_state_violations(history, log),
        *_leftover_violations(history),
    ]


def _violation(invariant: Invariant, message: str) -> Violation:
    return Violation(invariant=invariant, message=message)


def _turn_violations(history: History) -> Iterator[Violation]:
    known: set[str] = set()
    started: set[str] = set()
    finished: set[str] = set()
    for event in history.events:
        turn = event.turn
        if turn is None:
            continue
        if turn in finished and not isinstance(event, _ToolEvent):
            what = _type_of(event)
            yield _violation(
                "I5", f"turn {turn} has a {what} ({event.seq}) after its end"
            )
        match event:
            case TurnQueued():
                known.add(turn)
            case TurnStarted():
                if turn in started:
                    yield _violation("I5", f"turn {turn} starts twice ({event.seq})")
                known.add(turn)
                started.add(turn)
            case TurnFinished():
                if turn not in known:
                    yield _violation("I5", f"turn {turn} ends and never began")
                finished.add(turn)
            case _:
                pass
    for turn in sorted(known - finished):
        yield _violation("I5", f"turn {turn} has no end")


def _tool_violations(history: History) -> Iterator[Violation]:
    calls: dict[str, list[_ToolEvent]] = {}
    turn_ends: dict[str | None, int] = {}
    for event in history.events:
        if isinstance(event, _ToolEvent):
            calls.setdefault(event.tool_call, []).append(event)
        elif isinstance(event, TurnFinished):
            turn_ends.setdefault(event.turn, event.seq)
    for call, events in calls.items():
        for words in _tool_faults(events, turn_ends):
            yield _violation("I6", f"tool call {call} {words}")


def _tool_faults(
    events: list[_ToolEvent], turn_ends: dict[str | None, int]
) -> Iterator[str]:
    attempt = 0
    has_ended = False
    if not isinstance(events[0], ToolRequested):
        yield "was never requested"
    for place, event in enumerate(events):
        what = f"has a {_type_of(event)} ({event.seq})"
        if event.seq > turn_ends.get(event.turn, event.seq):
            yield f"{what} after its turn's end"
        if has_ended:
            yield f"{what} after its own end"
        match event:
            case ToolRequested() if place:
                yield "is requested twice"
            case ToolStarted():
                if event.attempt <= attempt:
                    yield f"starts attempt {event.attempt} again ({event.seq})"
                attempt = event.attempt
            case ToolCompleted():
                has_ended = True
            case _:
                pass
    if not has_ended:
        yield "has no end"


def _send_violations(history: History) -> Iterator[Violation]:
    logged: dict[str, list[MessageCreated]] = {}
    edited: set[str] = set()
    for event in history.events:
        if isinstance(event, MessageCreated) and event.client_message_id is not None:
            logged.setdefault(event.client_message_id, []).append(event)
        elif isinstance(event, MessageEdited):
            edited.add(event.message)
    for id_, messages in logged.items():
        if len(messages) > 1:
            places = ", ".join(str(message.seq) for message in messages)
            yield _violation("I2", f"message {id_} is logged more than once: {places}")
    last: dict[str, int] = {}
    for sent in history.sends:
        messages = logged.get(sent.client_message_id, [])
        yield from _sent_violations(sent, messages, edited)
        if sent.acks and messages:
            seq = messages[0].seq
            if seq < last.get(sent.seat, 0):
                late = f"message {sent.client_message_id} of {sent.seat} ({seq})"
                yield _violation("I2", f"{late} stands before one that it sent earlier")
            last[sent.seat] = seq


def _sent_violations(
    sent: Sent, messages: list[MessageCreated], edited: set[str]
) -> Iterator[Violation]:
    id_ = sent.client_message_id
    acks = sent.acks
    if not messages:
        if acks:
            yield _violation("I2", f"message {id_} was acknowledged and is not logged")
        return
    message = messages[0]
    if not acks and len(sent.answers) == sent.attempts:
        yield _violation("I2", f"message {id_} was refused and is logged")
    if message.content != sent.content and message.message not in edited:
        yield _violation("I2", f"message {id_} is logged with another content")
    named = {"message": message.message, "turn": message.turn}
    for ack in acks:
        if ack.result is None or not named.items() <= ack.result.items():
            yield _violation("I2", f"an answer to message {id_} names another turn")
        if ack.seq is None or ack.seq < message.seq:
            yield _violation("I2", f"message {id_} was acknowledged before its event")


def _state_violations(history: History, log: RecordedLog) -> Iterator[Violation]:
    for name, state in history.snapshots.items():
        if state.seq != log.head:
            words = f"{name} stands at {state.seq} at the end, the log at {log.head}"
            yield _violation("I4", words)
        log.claim(name, state)
    yield from log.refuted_claims()


def _leftover_violations(history: History) -> Iterator[Violation]:
    left = history.leftovers
    for turn in left.turns:
        yield _violation("I7", f"turn {turn} still runs or waits")
    for task in left.tasks:
        yield _violation("I7", f"the task {task!r} is still there")
    if left.sockets > 0:
        yield _violation("I7", f"{left.sockets} sockets are still open")
    if left.file_descriptors > 0:
        count = left.file_descriptors
        yield _violation("I7", f"{count} file descriptors are still open")


def _type_of(event: Event | UnknownEvent) -> str:
    return str(getattr(event, "type", None) or event.__struct_config__.tag)
