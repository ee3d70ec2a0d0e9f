"""Branches of a conversation: what is sent where, and what the agent is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.conversation.branches import Branches
from streamchat_nb.errors import Conflict, InvalidInput, NotFound
from streamchat_nb.protocol.content import TextBlock
from tests.unit.server.echo_service import ADA, EVE, EchoAgent, ended, play
from tests.unit.server.test_queue import said

if TYPE_CHECKING:
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.server.sent_messages import Receipt
    from streamchat_nb.server.service import Service


async def ask(
    service: Service, log: ConversationLog, text: str, **more: Any
) -> Receipt:
    return await service.send(
        ADA,
        log.id,
        client_message_id=more.pop("key", f"w-{log.head}"),
        content=[TextBlock(text=text)],
        **more,
    )


async def answered(
    service: Service, log: ConversationLog, text: str, **more: Any
) -> str:
    receipt = await ask(service, log, text, **more)
    await ended(log, receipt.turn)
    return receipt.message


def test_agent_is_told_its_own_branch_only() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await answered(service, log, "first")
        second = await answered(service, log, "second")
        revised = await answered(service, log, "revised", parent=first)
        await answered(service, log, "after it")
        await answered(service, log, "from the start", parent="")
        await service.select_branch(ADA, log.id, second)
        await answered(service, log, "third")

        assert [said(history) for history in agent.histories] == [
            ["first"],
            ["first", "second"],
            ["first", "revised"],
            ["first", "revised", "after it"],
            ["from the start"],
            ["first", "second", "third"],
        ]
        assert Branches(log.state).siblings(second) == [second, revised]

    play(scenario)


def test_message_that_waits_stays_in_the_branch_that_was_shown_when_it_was_sent() -> (
    None
):
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await answered(service, log, "first")
        running = await ask(service, log, "wait")
        waiting = await ask(service, log, "follows")
        again = await ask(service, log, "wait", parent=first)
        await service.select_branch(ADA, log.id, first)
        assert log.state.tip == again.message
        await service.cancel(ADA, log.id, again.turn)
        assert log.state.tip == waiting.message
        agent.release.set()
        await ended(log, running.turn)
        await ended(log, waiting.turn)
        assert said(agent.histories[-1]) == ["first", "wait", "follows"]

    play(scenario)


def test_refused_parent_is_one_error_and_nothing_is_sent() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        del agent
        log = await service.create(ADA)
        await answered(service, log, "first")
        answer = log.state.messages[-1].message
        head = log.head
        for parent in ("m_none", answer):
            with pytest.raises(InvalidInput) as caught:
                await ask(service, log, "second", parent=parent)
            assert caught.value.code == "no_such_message"
            with pytest.raises(InvalidInput) as selected:
                await service.select_branch(ADA, log.id, parent)
            assert selected.value.code == "no_such_message"
        with pytest.raises(NotFound):
            await service.select_branch(EVE, log.id, "m_none")
        assert log.head == head

    play(scenario)


def test_branch_that_is_shown_already_is_not_written_again() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        del agent
        log = await service.create(ADA)
        first = await answered(service, log, "first")
        await answered(service, log, "second")
        await log.flushed()
        head = log.head
        assert await service.select_branch(ADA, log.id, first) == head
        assert log.head == head

    play(scenario)


def test_same_message_at_another_place_is_another_message() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        del agent
        log = await service.create(ADA)
        first = await answered(service, log, "first")
        await answered(service, log, "second", parent=first, key="w-2")
        await answered(service, log, "third")
        assert (await ask(service, log, "second", parent=first, key="w-2")).duplicate
        assert (await ask(service, log, "second", key="w-2")).duplicate
        with pytest.raises(Conflict) as caught:
            await ask(service, log, "second", parent="", key="w-2")
        assert caught.value.code == "idempotency_mismatch"

    play(scenario)
