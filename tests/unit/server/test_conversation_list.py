from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.store import Marks
from streamchat_nb.errors import NotFound
from streamchat_nb.server import conversation_list
from streamchat_nb.server.conversation_list import ListChoice
from streamchat_nb.server.principal import Principal
from streamchat_nb.server.settings import Settings
from tests.unit.server.echo_service import ADA, ended, play, send

if TYPE_CHECKING:
    from streamchat_nb.server.service import Service

EVE = Principal(id="eve", name="Eve")


async def listed(service: Service, **choice: Any) -> list[str]:
    hits = await service.conversations.page(ADA, ListChoice(**choice))
    return [hit.record.id for hit in hits]


def test_deleted_conversation_is_in_the_trash_until_it_is_restored() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA, title="Pears")
        await ended(log, (await send(service, log, "hello")).turn)
        await service.delete(ADA, log.id)
        assert await listed(service) == []
        assert await listed(service, deleted=True) == [log.id]
        for attempt in (
            service.open(ADA, log.id),
            send(service, log, "again"),
            service.rename(ADA, log.id, "x"),
            service.delete(ADA, log.id),
            service.conversations.mark(ADA, log.id, Marks(pinned=True)),
        ):
            with pytest.raises(NotFound) as caught:
                await attempt
            assert caught.value.code == "conversation_deleted"
        with pytest.raises(NotFound) as caught:
            await service.conversations.restore(EVE, log.id)
        assert caught.value.code == "not_found"
        with pytest.raises(NotFound) as caught:
            await service.open(EVE, log.id)
        assert caught.value.code == "not_found"
        record = await service.conversations.restore(ADA, log.id)
        assert record.deleted_ms == 0
        again = await service.open(ADA, log.id)
        assert again.state.messages == log.state.messages
        assert again.state.title == "Pears"
        await ended(again, (await send(service, again, "more")).turn)
        assert await listed(service) == [log.id]

    play(scenario)


def test_running_turn_is_cancelled_with_its_conversation() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        running = await send(service, log, "wait")
        waiting = await send(service, log, "after it")
        await service.delete(ADA, log.id)
        await service.conversations.restore(ADA, log.id)
        again = await service.open(ADA, log.id)
        for receipt in (running, waiting):
            turn = again.fold.turn(receipt.turn)
            assert turn is not None
            assert turn.status == "cancelled"

    play(scenario)


def test_deleting_for_good_is_for_what_is_in_the_trash_too() -> None:
    async def scenario(service: Service, _: Any) -> None:
        one, other = await service.create(ADA), await service.create(ADA)
        await service.delete(ADA, one.id)
        await service.delete(ADA, one.id, forever=True)
        await service.delete(ADA, other.id, forever=True)
        assert await listed(service, deleted=True) == []
        with pytest.raises(NotFound):
            await service.conversations.restore(ADA, one.id)

    play(scenario)


def test_without_trash_days_nothing_stays() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        await service.delete(ADA, log.id)
        assert await listed(service, deleted=True) == []

    play(scenario, settings=Settings(trash_days=0.0))


def test_trash_is_emptied_of_what_was_there_long_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversation_list, "UPKEEP_EVERY_S", 0.01)
    monkeypatch.setattr(conversation_list, "UPKEEP_STEP", 2)
    store = MemoryStore()

    async def scenario(service: Service, _: Any) -> None:
        logs = [await service.create(ADA) for _ in range(6)]
        for log in logs[1:]:
            await service.delete(ADA, log.id)
        for log in logs[2:]:
            await store.mark(log.id, Marks(deleted_ms=1))
        while len(await listed(service, deleted=True)) > 1:
            await asyncio.sleep(0.01)
        assert await listed(service, deleted=True) == [logs[1].id]
        assert await listed(service) == [logs[0].id]

    play(scenario, store=store)


def test_what_is_said_is_found_and_unread_until_it_was_read() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        await ended(log, (await send(service, log, "Quinces, please")).turn)
        await log.flushed()  # its title, too
        assert await listed(service, query="QUINCE") == [log.id]
        (hit,) = await service.conversations.page(ADA, ListChoice(query="quince"))
        assert "".join(hit.snippet[1::2]).lower().startswith("quince")
        assert hit.record.unread
        record = await service.conversations.mark(
            ADA, log.id, Marks(read_seq=10**9, pinned=True)
        )
        assert record.read_seq == log.head
        assert (record.unread, record.pinned) == (False, True)
        await ended(log, (await send(service, log, "And more")).turn)
        (hit,) = await service.conversations.page(ADA)
        assert hit.record.unread

    play(scenario)


def test_own_title_is_never_replaced() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA, title="Mine")
        await ended(log, (await send(service, log, "hello")).turn)
        assert log.state.title == "Mine"

    play(scenario)
