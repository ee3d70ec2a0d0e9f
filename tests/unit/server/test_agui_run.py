"""Threads, runs and applications of AG-UI, on a real service without a port."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.errors import InvalidInput, NotFound, TooLarge
from streamchat_nb.protocol.content import DataBlock, TextBlock
from streamchat_nb.protocol.frames import CallTool, CancelTool
from streamchat_nb.server import agui_input, agui_run
from streamchat_nb.server.agui_input import RunRequest, read_request
from streamchat_nb.server.agui_run import begin_run, conversation_of, message_id_of
from streamchat_nb.server.agui_tools import CLIENT, Applications
from tests.unit.server.echo_service import ADA, EVE, EchoAgent, ended, play

if TYPE_CHECKING:
    from streamchat_nb.server.service import Service

LEND = {"name": "pick", "description": "Pick one."}


def request(text: str = "hello", **more: Any) -> RunRequest:
    given = {
        "threadId": "thread 1",
        "runId": "run 1",
        "messages": [{"id": "u1", "role": "user", "content": text}],
        **more,
    }
    return read_request(json.dumps(given).encode())


# --- what is read


def test_newest_question_is_read_with_its_context_and_what_is_known() -> None:
    messages: list[dict[str, Any]] = [
        {"id": "u1", "role": "user", "content": "old"},
        {"id": "r", "role": "reasoning", "content": "hm"},
        {"id": "m1", "role": "assistant", "content": "said"},
        {"id": "x", "role": "tool", "toolCallId": "c0", "content": "found"},
        {"id": "u2", "role": "user", "content": [{"type": "text", "text": "new"}]},
        {"id": "y", "role": "tool", "toolCallId": "c1", "content": "", "error": "no"},
    ]
    context = [{"description": "d" * 100, "value": "v"}]
    read = request(messages=messages, context=context)
    assert read.question is not None
    assert (read.question.id, read.question.is_last) == ("u2", False)
    assert read.question.parts == (
        TextBlock(text="new"),
        DataBlock(name="d" * 80, text="v"),
    )
    assert read.known.ids == {"r", "m1"}
    assert read.known.thoughts == {"r"}
    assert read.known.results == {"c0", "c1"}
    (result,) = read.results
    assert (result.call, result.output, result.is_error) == ("c1", "no", True)
    assert not read.cancel_on_disconnect


@pytest.mark.parametrize(
    ("forwarded", "wanted"),
    [
        ({"streamchat": {"cancelOnDisconnect": True}}, True),
        ({"streamchat": {"cancelOnDisconnect": "yes"}}, False),
        ({"streamchat": 1}, False),
        ("text", False),
        (None, False),
    ],
)
def test_cancel_on_disconnect_is_asked_for_exactly(
    forwarded: object, wanted: bool
) -> None:
    assert request(forwardedProps=forwarded).cancel_on_disconnect is wanted


@pytest.mark.parametrize(
    ("payload", "edited"),
    [
        ({"approved": True, "editedArgs": {"a": 1}}, {"a": 1}),
        ({"approved": True, "unknown": 1}, None),
    ],
)
def test_answer_is_read_as_the_schema_says(
    payload: dict[str, Any], edited: object
) -> None:
    resume = [{"interruptId": "a1", "status": "resolved", "payload": payload}]
    answer = request(resume=resume).approvals["a1"]
    assert (answer.decision, answer.edited_input) == ("approved", edited)


@pytest.mark.parametrize(
    "payload",
    [None, True, "approved", {}, {"approved": "true"}, {"approved": 1}, {"ok": True}],
)
def test_what_is_no_answer_is_no_approval(payload: object) -> None:
    resume = [{"interruptId": "a1", "status": "resolved", "payload": payload}]
    with pytest.raises(InvalidInput, match="responseSchema"):
        request(resume=resume)


def test_body_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agui_input, "MOST_BODY_BYTES", 1_000)
    with pytest.raises(TooLarge, match="1000"):
        request("x" * 1_000)


def test_deep_schema_is_refused() -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(40):
        deep = {"type": "object", "properties": {"a": deep}}
    with pytest.raises(TooLarge, match="nests"):
        request(tools=[{**LEND, "parameters": deep}])


# --- threads and runs


def test_thread_is_one_conversation_of_its_user() -> None:
    mine = conversation_of(ADA, "thread 1")
    assert mine == conversation_of(ADA, "thread 1")
    assert mine not in (conversation_of(EVE, "thread 1"), conversation_of(ADA, "2"))
    assert conversation_of(EVE, mine) == mine  # who may use it is asked on opening
    assert message_id_of("8f4e-1") == "agui:8f4e-1"
    assert message_id_of("run 1") != message_id_of("run  1")
    assert len(message_id_of("r" * 256)) <= 64


def test_runs_at_once_make_one_conversation_and_nobody_gets_anothers() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        applications = Applications()
        runs = await asyncio.gather(
            *(
                begin_run(service, applications, ADA, request(runId=f"r{n}"))
                for n in range(3)
            )
        )
        assert len({run.log.id for run in runs}) == 1
        assert len({run.turn for run in runs}) == 3
        again = await begin_run(service, applications, ADA, request(runId="r1"))
        assert again.turn == runs[1].turn
        assert again.after == runs[1].after
        theirs = request(threadId=runs[0].log.id)
        with pytest.raises(NotFound):
            await begin_run(service, applications, EVE, theirs)
        for run in [*runs, again]:
            run.application.leave()
        assert len(applications) == 0
        await ended(runs[-1].log, runs[-1].turn)

    play(scenario)


# --- applications


def test_application_stays_a_lender_as_long_as_a_call_waits_for_it() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        applications = Applications()
        run = await begin_run(service, applications, ADA, request(tools=[LEND]))
        turns = await service.conversation_turns(ADA, run.log.id)
        assert [tool.name for tool in turns.desk.tools()] == ["pick"]
        call = CallTool(
            conversation=run.log.id,
            tool_call="c1",
            lease="l1",
            attempt=1,
            name="pick",
            input={},
            timeout_ms=1,
        )
        run.application.calls[call.tool_call] = call.lease
        run.application.leave()
        assert len(applications) == 1
        cancelled = CancelTool(conversation=run.log.id, tool_call="c1", lease="l1")
        run.application.hear(cancelled)
        assert len(applications) == 0
        second = await begin_run(service, applications, ADA, request(runId="r2"))
        assert turns.desk.tools() == [], f"{CLIENT} has no tools now"
        second.application.leave()
        await ended(run.log, second.turn)

    play(scenario)


def test_refused_run_leaves_nothing_behind() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        applications = Applications()
        with pytest.raises(InvalidInput, match="empty"):
            await begin_run(service, applications, ADA, request(" ", tools=[LEND]))
        twice = request(tools=[LEND, LEND])
        with pytest.raises(InvalidInput, match="Two tools"):
            await begin_run(service, applications, ADA, twice)
        assert len(applications) == 0

    play(scenario)


def test_run_that_cannot_be_told_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    async def scenario(service: Service, _: EchoAgent) -> None:
        applications = Applications()
        with pytest.raises(ZeroDivisionError):
            await begin_run(service, applications, ADA, request(tools=[LEND]))
        assert len(applications) == 0

    monkeypatch.setattr(agui_run, "history_before", fails)
    play(scenario)
