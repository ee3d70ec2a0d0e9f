"""Bugs for a running server, each planted by its function before the server starts.

They are of the kinds that break such systems: off by one, a number not adapted, an end
that is lost on one of the ways, a text that changes, a state of another moment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.agent import closing, runner
from streamchat_nb.conversation import log as log_module
from streamchat_nb.conversation.delta_merge import merge_deltas
from streamchat_nb.conversation.log import ConversationLog
from streamchat_nb.conversation.snapshot import SnapshotParts, encode_parts
from streamchat_nb.conversation.store import StoredEvent
from streamchat_nb.protocol.codec import decode_event, encode
from streamchat_nb.protocol.events import BlockDelta, MessageCompleted, TurnFinished
from streamchat_nb.server import delivery
from streamchat_nb.server.sent_messages import SentMessages

if TYPE_CHECKING:
    from streamchat_nb.protocol.commands import Cursor


def begin_each_replay_one_event_late() -> None:
    plan_delivery = delivery.plan_delivery

    async def plan_late(*arguments: object) -> delivery.Plan:
        plan = await plan_delivery(*arguments)  # type: ignore[arg-type]
        if not plan.replay_after:
            return plan
        return replace(plan, replay_after=plan.replay_after + 1)

    delivery.plan_delivery = plan_late


def forget_to_adapt_prev() -> None:
    def merge(events: list[StoredEvent], prev: int) -> list[StoredEvent]:
        merged = merge_deltas(events, prev)
        return [
            StoredEvent(each.seq, encode(_with(each.data, prev=each.seq - 1)))
            for each in merged
        ]

    log_module.merge_deltas = merge


def lose_the_end_of_a_turn_in_replays() -> None:
    plan_delivery, stream = delivery.plan_delivery, ConversationLog.stream
    replays: set[tuple[str, int]] = set()

    async def plan_and_note(
        log: ConversationLog, since: Cursor | None
    ) -> delivery.Plan:
        plan = await plan_delivery(log, since)
        if plan.replay_after is not None:
            replays.add((log.id, plan.replay_after))
        return plan

    async def stream_without_ends(
        log: ConversationLog, after: int, **limits: int
    ) -> list[StoredEvent]:
        events = await stream(log, after, **limits)
        if (log.id, after) not in replays or len(events) < 3:
            return events
        kept: list[StoredEvent] = []
        for each in events:
            if not isinstance(decode_event(each.data), TurnFinished):
                last = kept[-1].seq if kept else after
                kept.append(StoredEvent(each.seq, encode(_with(each.data, prev=last))))
        return kept

    delivery.plan_delivery = plan_and_note
    ConversationLog.stream = stream_without_ends  # type: ignore[method-assign]


def lose_a_letter_where_deltas_are_joined() -> None:
    def merge(events: list[StoredEvent], prev: int) -> list[StoredEvent]:
        changed: list[StoredEvent] = []
        for each in merge_deltas(events, prev):
            event = decode_event(each.data)
            if isinstance(event, BlockDelta) and event.prev < each.seq - 1:
                event = msgspec.structs.replace(event, delta=event.delta[:-1])
            changed.append(StoredEvent(each.seq, encode(event)))
        return changed

    log_module.merge_deltas = merge


def show_the_state_of_another_moment() -> None:
    first: dict[str, list[bytes]] = {}

    def snapshot(log: ConversationLog, **_: int) -> SnapshotParts:
        now = encode_parts(log.state)
        parts = first.setdefault(log.id, now.parts)
        aged = [part.replace(b'"seq":1,', b'"seq":%d,' % now.seq, 1) for part in parts]
        return SnapshotParts(now.seq, aged)

    ConversationLog.snapshot = snapshot  # type: ignore[method-assign]


def forget_what_was_sent() -> None:
    async def repeated(*_: object) -> None:
        return None

    SentMessages.repeated = repeated  # type: ignore[method-assign, assignment]


def forget_what_was_written_before_a_cancel() -> None:
    def open_ends(*arguments: object, **more: object) -> list[object]:
        return [
            msgspec.structs.replace(end, content=[])
            if isinstance(end, MessageCompleted)
            else end
            for end in closing.open_ends(*arguments, **more)  # type: ignore[arg-type]
        ]

    runner.open_ends = open_ends


def _with(data: bytes, **fields: int) -> object:
    return msgspec.structs.replace(decode_event(data), **fields)
