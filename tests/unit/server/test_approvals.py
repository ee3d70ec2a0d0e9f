"""Tool calls that ask a person first, in a real service with the built-in agent."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.approvals import input_hash
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.errors import Conflict, InvalidInput, NotFound
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import ToolApprovalResolved
from streamchat_nb.server.service import Service
from streamchat_nb.server.settings import Settings
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet
from tests.unit.server.echo_service import ADA, EVE, ended

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.state import ToolCallState

ran: list[tuple[str, Any]] = []


@tool(risk="write")
def rename(name: str) -> str:
    """Rename it.

    Args:
        name: The new name.
    """
    ran.append(("rename", name))
    return f"now {name}"


@tool(risk="exec")
def run(code: str) -> str:
    """Run code.

    Args:
        code: The code.
    """
    ran.append(("run", code))
    return "ran"


@tool
def look() -> str:
    """Look."""
    ran.append(("look", None))
    return "seen"


def play(
    scenario: Callable[[Service], Coroutine[Any, Any, None]],
    settings: Settings | None = None,
) -> None:
    async def main() -> None:
        ran.clear()
        service = Service(
            settings or Settings(),
            store=MemoryStore(),
            make_agent=lambda _: AnthropicAgent(OfflineModel(pace_s=0)),
            make_tools=lambda: ToolSet([rename, run, look]),
        )
        await service.start()
        try:
            async with asyncio.timeout(30):
                await scenario(service)
        finally:
            await service.stop()

    asyncio.run(main())


async def send(service: Service, log: ConversationLog, text: str) -> str:
    receipt = await service.send(
        ADA, log.id, client_message_id=f"w-{log.head}", content=[TextBlock(text=text)]
    )
    return receipt.turn


async def asked(log: ConversationLog, count: int = 1) -> list[ToolCallState]:
    """Wait until so many calls ask; return them."""
    while True:
        calls = [
            call
            for call in log.state.tool_calls
            if call.approval and not call.approval.decision and call.output is None
        ]
        if len(calls) >= count:
            return calls
        await asyncio.sleep(0.005)


def answer(call: ToolCallState, decision: Any, **more: Any) -> ToolApprovalResolved:
    assert call.approval is not None
    return ToolApprovalResolved(
        approval=call.approval.approval, tool_call="", decision=decision, **more
    )


def test_call_waits_for_a_person_and_runs_when_approved() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(service, log, 'call rename {"name": "Ada"}')
        (call,) = await asked(log)
        assert call.approval is not None
        assert (call.risk, call.status, ran) == ("write", "requested", [])
        assert call.approval.input_hash == input_hash({"name": "Ada"})
        state = log.fold.turn(turn)
        while state is None or state.phase != "waiting_approval":
            await asyncio.sleep(0)
        assert state.label == "Waiting for your approval of rename…"
        seq = await service.approve(ADA, log.id, answer(call, "approved"))
        assert seq
        assert (await ended(log, turn)).status == "completed"
        assert ran == [("rename", "Ada")]
        assert call.approval.by
        assert call.approval.by.name == "Ada"

    play(scenario)


def test_denied_call_never_runs_and_the_model_is_told_why() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(service, log, 'call run {"code": "1"}')
        (call,) = await asked(log)
        await service.approve(ADA, log.id, answer(call, "denied", reason="Not today"))
        await ended(log, turn)
        assert (call.status, ran) == ("denied", [])
        assert "Not today" in (call.output or "")
        assert "Not today" in log.state.messages[-1].blocks[0].text

    play(scenario)


def test_edited_input_runs_in_place_of_the_first_and_is_checked() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(service, log, 'call run {"code": "drop"}')
        (call,) = await asked(log)
        wrong = answer(call, "approved", edited_input={"code": 1})
        with pytest.raises(InvalidInput, match="code"):
            await service.approve(ADA, log.id, wrong)
        edited = answer(call, "approved", edited_input={"code": "keep"})
        await service.approve(ADA, log.id, edited)
        await ended(log, turn)
        assert ran == [("run", "keep")]
        assert call.input == {"code": "keep"}
        assert "changed the input" in log.state.messages[-1].blocks[0].text

    play(scenario)


def test_first_answer_counts_whoever_gives_it() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(service, log, 'call rename {"name": "Ada"}')
        (call,) = await asked(log)
        outcomes = await asyncio.gather(
            *(
                service.approve(ADA, log.id, answer(call, decision))
                for decision in ("denied", "approved", "denied")
            ),
            return_exceptions=True,
        )
        first, second, third = outcomes
        assert isinstance(first, int)
        assert isinstance(second, Conflict)
        assert second.details == {"recorded": "denied"}
        assert third is None
        await ended(log, turn)
        assert ran == []
        assert await service.approve(ADA, log.id, answer(call, "denied")) is None

    play(scenario)


def test_remembered_tool_asks_no_more_but_code_always_does() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(service, log, 'call rename {"name": "a"}')
        (call,) = await asked(log)
        remember = answer(call, "approved", remember="conversation")
        await service.approve(ADA, log.id, remember)
        await ended(log, turn)
        await ended(log, await send(service, log, 'call rename {"name": "b"}'))
        assert ran == [("rename", "a"), ("rename", "b")]
        turn = await send(service, log, 'call run {"code": "1"}')
        (call,) = await asked(log)
        with pytest.raises(InvalidInput, match="each time"):
            await service.approve(
                ADA, log.id, answer(call, "approved", remember="conversation")
            )
        await service.cancel(ADA, log.id, turn)

    play(scenario)


def test_calls_that_do_not_ask_do_not_wait() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(
            service, log, 'call look and call rename {"name": "a"} and call run'
        )
        calls = await asked(log, 2)
        while ("look", None) not in ran:
            await asyncio.sleep(0.005)
        for call in reversed(calls):
            await service.approve(ADA, log.id, answer(call, "approved"))
        await ended(log, turn)
        names = [name for name, _ in ran]
        # The two that were approved run side by side.
        assert (names[0], sorted(names[1:])) == ("look", ["rename", "run"])
        assert [call.status for call in log.state.tool_calls] == ["ok"] * 3

    play(scenario)


def test_cancelled_turn_closes_what_it_asked() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(service, log, 'call rename {"name": "a"}')
        (call,) = await asked(log)
        with pytest.raises(NotFound):
            await service.approve(EVE, log.id, answer(call, "approved"))
        await service.cancel(ADA, log.id, turn)
        assert (await ended(log, turn)).status == "cancelled"
        assert (call.status, ran) == ("cancelled", [])
        with pytest.raises(Conflict) as caught:
            await service.approve(ADA, log.id, answer(call, "approved"))
        assert caught.value.code == "approval_closed"
        unknown = ToolApprovalResolved(
            approval="a_nothing", tool_call="", decision="approved"
        )
        with pytest.raises(NotFound):
            await service.approve(ADA, log.id, unknown)

    play(scenario)


def test_settings_say_which_tools_ask() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        await send(service, log, 'call rename {"name": "Ada"}')
        while not ran:
            await asyncio.sleep(0.005)
        assert ran == [("rename", "Ada")]
        await send(service, log, "call look {}")
        (call,) = await asked(log)
        assert call.name == "look"
        await service.approve(ADA, log.id, answer(call, "approved"))
        await send(service, log, 'call run {"code": "1"}')
        (call,) = await asked(log)
        assert (call.name, ("run", "1") in ran) == ("run", False)

    policy = {"rename": "allow", "look": "ask", "run": "allow"}
    play(scenario, Settings(tool_approvals=policy))


def test_nobody_answers_in_time() -> None:
    async def scenario(service: Service) -> None:
        log = await service.create(ADA)
        turn = await send(service, log, 'call rename {"name": "Ada"}')
        (call,) = await asked(log)
        assert call.approval is not None
        expires_at = call.approval.expires_at
        assert expires_at is not None
        assert 0 < expires_at - time.time() * 1000 < 300
        state = log.fold.turn(turn)
        while state is None or state.finished_ts is None:
            await asyncio.sleep(0.01)
        (call,) = log.state.tool_calls
        assert call.approval is not None
        assert (call.status, ran) == ("denied", [])
        assert call.approval.by == Author(
            id="system", name="streamchat_nb", kind="system"
        )
        assert "Nobody answered within 0.2 s." in (call.output or "")

    play(scenario, Settings(approval_timeout_s=0.2))
