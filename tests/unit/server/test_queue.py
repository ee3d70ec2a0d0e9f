"""Messages that wait: edited, removed, sent at once, interrupted, unwatched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.errors import Conflict, InvalidInput, NotFound, Unavailable
from streamchat_nb.protocol.content import TextBlock
from streamchat_nb.server import turns as turns_module
from streamchat_nb.server.settings import Settings
from tests.unit.server.echo_service import (
    ADA,
    EVE,
    EchoAgent,
    FullStore,
    ended,
    play,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.store import Append
    from streamchat_nb.server.service import Service


def said(history: list[dict[str, Any]]) -> list[str]:
    """Return what the user said, in the order in which the model sees it."""
    return [
        block["text"]
        for message in history
        if message["role"] == "user"
        for block in message["content"]
        if block["type"] == "text"
    ]


def waiting(log: ConversationLog) -> list[str]:
    """Return the turns that wait, in the order in which every screen shows them."""
    return [turn.turn for turn in log.state.turns if turn.status == "queued"]


def test_edited_message_is_answered_as_edited() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await send(service, log, "wait")
        second = await send(service, log, "before")
        seq = await service.edit_queued(
            ADA, log.id, second.turn, [TextBlock(text="after")]
        )
        assert log.head >= seq > second.seq
        message = log.fold.message(second.message)
        assert message is not None
        assert (message.blocks[0].text, message.edited) == ("after", True)
        agent.release.set()
        await ended(log, second.turn)
        assert said(agent.histories[1]) == ["wait", "after"]
        # A repeated send of what was typed first is still the same message.
        assert (await send(service, log, "before")).duplicate
        for turn in (first.turn, second.turn):
            with pytest.raises(Conflict) as caught:
                await service.edit_queued(ADA, log.id, turn, [TextBlock(text="late")])
            assert caught.value.code == "not_queued"

    play(scenario)


def test_edit_is_checked_and_only_for_the_owner() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        await send(service, log, "wait")
        second = await send(service, log, "second")
        with pytest.raises(InvalidInput):
            await service.edit_queued(ADA, log.id, second.turn, [TextBlock(text=" ")])
        with pytest.raises(NotFound):
            await service.edit_queued(
                EVE, log.id, second.turn, [TextBlock(text="mine")]
            )
        for ask in (service.send_now, service.cancel):
            with pytest.raises(NotFound):
                await ask(ADA, log.id, "t_nobody")
            with pytest.raises(NotFound):
                await ask(EVE, log.id, second.turn)
        agent.release.set()
        await ended(log, second.turn)
        assert said(agent.histories[1]) == ["wait", "second"]

    play(scenario)


def test_send_now_goes_next_and_the_running_turn_ends_after_its_tools() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await send(service, log, "steps")
        second = await send(service, log, "second")
        third = await send(service, log, "third")
        assert waiting(log) == [second.turn, third.turn]
        await service.send_now(ADA, log.id, third.turn)
        assert waiting(log) == [third.turn, second.turn]
        agent.release.set()
        one = await ended(log, first.turn)
        assert (one.status, one.stop_reason) == ("completed", "superseded")
        await ended(log, second.turn)
        assert said(agent.histories[1]) == ["steps", "third"]
        assert said(agent.histories[2]) == ["steps", "third", "second"]
        results = [
            block["content"]
            for message in agent.histories[1]
            for block in message["content"]
            if block["type"] == "tool_result"
        ]
        assert results == ["42"]
        # What has begun or is over needs nothing more.
        assert await service.send_now(ADA, log.id, third.turn) == log.head

    play(scenario)


def test_turn_without_a_tool_boundary_is_not_cut_by_send_now() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await send(service, log, "wait")
        second = await send(service, log, "second")
        await service.send_now(ADA, log.id, second.turn)
        agent.release.set()
        one = await ended(log, first.turn)
        assert (one.status, one.stop_reason) == ("completed", "end_turn")
        await ended(log, second.turn)

    play(scenario)


def test_removed_message_is_never_answered() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        await send(service, log, "wait")
        second = await send(service, log, "second")
        third = await send(service, log, "third")
        await service.cancel(ADA, log.id, second.turn)
        await service.cancel(ADA, log.id, second.turn)
        with pytest.raises(Conflict):
            await service.send_now(ADA, log.id, second.turn)
        agent.release.set()
        await ended(log, third.turn)
        two = await ended(log, second.turn)
        assert (two.status, two.stop_reason) == ("cancelled", "removed")
        assert two.started_ts is None
        assert said(agent.histories[1]) == ["wait", "third"]

    play(scenario)


def test_cancel_and_queued_leaves_nothing_to_run() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        receipts = [await send(service, log, text) for text in ("wait", "b", "c")]
        await service.cancel(ADA, log.id, receipts[0].turn, and_queued=True)
        assert not waiting(log)
        for receipt in receipts:
            turn = await ended(log, receipt.turn)
            assert (turn.status, turn.stop_reason) == ("cancelled", None)
        assert len(agent.histories) == 1
        # The next message has a valid history of what was said.
        agent.release.set()
        await ended(log, (await send(service, log, "again")).turn)
        assert said(agent.histories[1]) == ["wait", "again"]

    play(scenario)


def test_interrupt_goes_before_those_that_wait_whenever_it_comes() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        # All at once: the first one is not even committed when it is interrupted.
        first, second, third = await asyncio.gather(
            send(service, log, "wait"),
            send(service, log, "second"),
            send(service, log, "third", if_active="interrupt"),
        )
        assert (await ended(log, first.turn)).status == "cancelled"
        await ended(log, second.turn)
        order = [turn.turn for turn in log.state.turns]
        assert order == [first.turn, third.turn, second.turn]
        assert said(agent.histories[-1])[-2:] == ["third", "second"]

    play(scenario)


class SlowToWrite(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        await self.go_on.wait()
        await super().append(batch)

    @override
    def append_now(self, batch: Sequence[Append]) -> bool:
        return False


class SlowToForce(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.disk = asyncio.Event()

    @override
    async def sync(self) -> None:
        await self.disk.wait()


def test_message_is_answered_while_the_disk_takes_it_and_then_acknowledged() -> None:
    store = SlowToForce()

    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        sending = asyncio.ensure_future(send(service, log, "hello"))
        while not log.state.turns:
            await asyncio.sleep(0)
        again = asyncio.ensure_future(send(service, log, "hello", id_="m1"))
        other = asyncio.ensure_future(send(service, log, "hello", id_="m1"))
        turn = log.state.turns[0].turn
        while not agent.histories:
            await asyncio.sleep(0)
        assert not any(each.done() for each in (sending, again, other))
        store.disk.set()
        assert (await sending).turn == turn
        first, second = await again, await other
        assert first.message == second.message
        assert second.duplicate

    play(scenario, store=store)


def test_message_that_the_disk_does_not_take_is_answered_and_its_sender_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns_module, "WRITE_TIMEOUT_S", 0.4)
    store = SlowToForce()

    async def scenario(service: Service, _: EchoAgent) -> None:
        log = await service.create(ADA)
        for _attempt in range(2):
            with pytest.raises(Unavailable, match="cannot be saved now"):
                await send(service, log, "hello")
        (turn,) = log.state.turns
        assert (await ended(log, turn.turn)).status == "completed"
        store.disk.set()
        receipt = await send(service, log, "hello")
        assert (receipt.turn, receipt.duplicate) == (turn.turn, True)

    play(scenario, store=store)


def test_turn_cancelled_before_it_is_committed_never_runs() -> None:
    store = SlowToWrite()

    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        turns = service._turns[log.id]
        sending = asyncio.ensure_future(send(service, log, "hello"))
        while turns.active_turn is None:
            await asyncio.sleep(0)
        cancelling = asyncio.ensure_future(
            service.cancel(ADA, log.id, turns.active_turn)
        )
        await asyncio.sleep(0)
        store.go_on.set()
        receipt = await sending
        await cancelling
        assert (await ended(log, receipt.turn)).status == "cancelled"
        assert not agent.histories

    play(scenario, store=store)


def test_cancel_has_a_deadline_while_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns_module, "WRITE_TIMEOUT_S", 0.4)
    store = FullStore()

    async def scenario(service: Service, _: EchoAgent) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, "wait")
        queued = await send(service, log, "second")
        store.full = True
        for turn in (queued.turn, receipt.turn):
            with pytest.raises(Unavailable, match="cannot be saved now"):
                await service.cancel(ADA, log.id, turn)
        store.full = False
        assert (await ended(log, receipt.turn)).status == "cancelled"
        assert (await ended(log, queued.turn)).stop_reason == "removed"

    play(scenario, store=store)


def test_queued_turn_of_a_refused_message_never_starts() -> None:
    store = FullStore()

    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await send(service, log, "wait")
        # The running turn ends while the second message cannot be written.
        turns = service._turns[log.id]
        store.full = True
        refused = asyncio.ensure_future(
            turns.send(
                client_message_id="w-second",
                content=[TextBlock(text="second")],
                author=log.state.messages[0].author,
                if_active="queue",
            )
        )
        await asyncio.sleep(0)
        agent.release.set()
        with pytest.raises(Exception, match="free some space"):
            await refused
        store.full = False
        await ended(log, first.turn)
        third = await send(service, log, "third")
        await ended(log, third.turn)
        assert said(agent.histories[-1]) == ["wait", "third"]
        assert len(log.state.turns) == 2

    play(scenario, store=store)


def test_unwatched_turn_goes_on_or_is_cancelled_by_setting() -> None:
    async def goes_on(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, "wait")
        await asyncio.sleep(0.1)
        assert service._turns[log.id].active_turn == receipt.turn
        agent.release.set()
        await ended(log, receipt.turn)

    async def is_cancelled(service: Service, _: EchoAgent) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, "wait")
        unwatch = log.watch(lambda: None)
        await asyncio.sleep(0.15)
        assert service._turns[log.id].active_turn == receipt.turn
        unwatch()
        while (turn := log.fold.turn(receipt.turn)) is None or not turn.finished_ts:
            await asyncio.sleep(0.01)
        assert (turn.status, turn.stop_reason) == ("cancelled", "no_subscribers")

    play(goes_on)
    cancel = Settings(on_no_subscribers="cancel", no_subscribers_timeout_s=0.08)
    play(is_cancelled, settings=cancel)


def test_drain_lets_a_turn_end_and_takes_no_new_ones() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await send(service, log, "wait")
        second = await send(service, log, "second")
        draining = asyncio.ensure_future(service.drain(timeout_s=10))
        await asyncio.sleep(0.02)
        with pytest.raises(Unavailable):
            await send(service, log, "third")
        assert not draining.done()
        agent.release.set()
        await draining
        assert (await ended(log, first.turn)).status == "completed"
        assert waiting(log) == [second.turn]
        await service.stop()
        assert (await ended(log, second.turn)).status == "interrupted"

    play(scenario)


def test_drain_gives_up_in_time() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, "wait")
        await service.drain(timeout_s=0.05)
        assert service._turns[log.id].active_turn == receipt.turn

    play(scenario)
