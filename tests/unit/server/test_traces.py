from __future__ import annotations

import asyncio
import base64
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import pytest

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.agent.request_trace import Exchange, recorded_by
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.errors import NotFound
from streamchat_nb.server import traces as module
from streamchat_nb.server.service import Service
from streamchat_nb.server.settings import Settings
from streamchat_nb.server.traces import TURNS_PER_CONVERSATION, Traces, trace_of
from streamchat_nb.tools.contacts import search_contacts
from streamchat_nb.tools.registry import ToolSet
from tests.unit.server.echo_service import ADA, EVE, ended, play, send

if TYPE_CHECKING:
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.trace import TurnTrace

LATER_MS = 4_000_000_000_000


async def trace(service: Service, log: ConversationLog, turn: str) -> TurnTrace:
    return await trace_of(log, turn, service.traces, now_ms=LATER_MS)


def test_demo_turn_with_a_tool_has_its_steps_and_requests() -> None:
    async def main() -> None:
        agent = AnthropicAgent(OfflineModel(pace_s=0))
        service = Service(
            Settings(),
            store=MemoryStore(),
            make_agent=lambda _: agent,
            make_tools=lambda: ToolSet([search_contacts]),
        )
        await service.start()
        try:
            log = await service.create(ADA)
            turn = (await send(service, log, "Who is Ada?")).turn
            await ended(log, turn)
            found = await trace(service, log, turn)
        finally:
            await service.stop()
        kinds = [span.kind for span in found.spans]
        assert kinds == ["queue", "step", "tool", "run", "step"]
        assert all(span.end_ms is not None for span in found.spans)
        first, second = found.requests
        assert found.requests_kept == "kept"
        assert [one.source for one in found.requests] == ["demo", "demo"]
        assert len(second.body["messages"]) > len(first.body["messages"])
        assert first.body_bytes < second.body_bytes
        steps = [span for span in found.spans if span.kind == "step"]
        for step, request in zip(steps, found.requests, strict=True):
            assert step.start_ms <= request.start_ms
            assert request.first_ms is not None
            assert request.end_ms is not None
            assert request.start_ms <= request.first_ms <= request.end_ms

    asyncio.run(main())


def test_agent_that_sends_elsewhere_has_spans_and_says_so() -> None:
    async def scenario(service: Service, _: object) -> None:
        log = await service.create(ADA)
        turn = (await send(service, log, "hello")).turn
        await ended(log, turn)
        found = await trace(service, log, turn)
        assert [span.kind for span in found.spans] == ["queue", "step"]
        assert (found.requests, found.requests_kept) == ([], "unseen")
        service.traces.forget(log.id)
        assert (await trace(service, log, turn)).requests_kept == "forgotten"
        with pytest.raises(NotFound):
            await trace(service, log, "t_other")
        with pytest.raises(NotFound):
            await service.open(EVE, log.id)

    play(scenario)


def test_trace_is_found_in_a_log_of_many_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PAGE_EVENTS", 3)

    async def scenario(service: Service, _: object) -> None:
        log = await service.create(ADA)
        turn = ""
        for number in range(5):
            turn = (await send(service, log, f"hello {number}")).turn
            await ended(log, turn)
        found = await trace(service, log, turn)
        assert [span.id for span in found.spans] == ["queue", "step-1"]

    play(scenario)


async def sent(traces: Traces, turn: str, body: object, **facts: Any) -> Exchange:
    """Note a request of a turn, from its going out to its end."""
    kept = traces.begin("c", turn)
    recorded_by(kept)
    exchange = Exchange(**facts)
    exchange.went_out(httpx2.Request("POST", "https://host.test/v1", json=body))
    exchange.end()
    async with asyncio.timeout(20):
        while exchange not in kept.bodies:
            await asyncio.sleep(0.001)
    assert exchange.content == b""
    return exchange


def test_conversation_keeps_its_last_turns() -> None:
    traces = Traces()
    for number in range(TURNS_PER_CONVERSATION + 3):
        traces.begin("c", f"t{number}")
        traces.begin(f"other-{number}", "t")
    assert traces.of("c", "t2") is None
    assert traces.of("c", "t3") is not None
    assert traces.of("other-0", "t") is not None


def test_oldest_go_when_all_take_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 60_000)
    noise = Random(7).randbytes(10_000).hex()  # noqa: S311 - not for a secret

    async def main() -> None:
        traces = Traces()
        for number in range(12):
            await sent(traces, f"t{number}", noise)
        kept = [n for n in range(12) if traces.of("c", f"t{n}") is not None]
        assert 0 < len(kept) < 12
        assert kept[-1] == 11
        assert kept == list(range(kept[0], 12))

    asyncio.run(main())


def test_body_over_the_bound_is_cut_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LARGEST_BODY_BYTES", 10)

    async def main() -> None:
        traces = Traces()
        exchange = await sent(traces, "t", {"messages": ["hello"] * 50})
        kept = traces.of("c", "t")
        assert kept is not None
        (shown,) = await kept.requests(0)
        assert shown.is_cut
        assert shown.body is None
        assert shown.body_bytes == exchange.content_bytes > 0

    asyncio.run(main())


def test_files_are_shortened_and_secrets_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "canary-of-environment-1")
    picture = base64.b64encode(b"\x89" * 5_000).decode()
    source = {"type": "base64", "media_type": "image/png", "data": picture}
    body = {
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": source}]},
            {"role": "user", "content": "canary-of-environment-1 canary-of-client-2"},
        ],
        "api_key": "canary-of-field-3",
    }

    async def main() -> str:
        traces = Traces()
        await sent(traces, "t", body, secrets=["canary-of-client-2"])
        kept = traces.of("c", "t")
        assert kept is not None
        (shown,) = await kept.requests(0)
        image = shown.body["messages"][0]["content"][0]["source"]
        assert image == {**source, "data": "[5000 bytes, not kept]"}
        assert kept.bytes_kept < 1_000
        return msgspec.json.encode(shown).decode()

    assert "canary" not in asyncio.run(main())


def test_request_that_is_under_way_is_shown() -> None:
    async def main() -> None:
        traces = Traces()
        kept = traces.begin("c", "t")
        recorded_by(kept)
        exchange = Exchange()
        request = httpx2.Request("POST", "https://host.test/v1", json={"a": 1})
        exchange.went_out(request)
        (shown,) = await kept.requests(exchange.started_ms - 7)
        assert shown.body == {"a": 1}
        assert (shown.start_ms, shown.end_ms) == (7, None)

    asyncio.run(main())
