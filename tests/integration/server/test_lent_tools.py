"""Tools that a client lends, over the wire: leases, approvals, and clients that go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.integration.server.wire import (
    api,
    fetch,
    frame,
    new_conversation,
    open_socket,
    play,
    say,
    token_of,
    until,
)

if TYPE_CHECKING:
    from tornado.websocket import WebSocketClientConnection

    from streamchat_nb.testing.server_process import ServerProcess

SCHEMA = {
    "type": "object",
    "properties": {"sql": {"type": "string"}},
    "required": ["sql"],
}
RUN_SQL = {
    "name": "run_sql",
    "description": "Run SQL on the notebook's database.",
    "input_schema": SCHEMA,
}
ASK = 'call run_sql {"sql": "select 1"}'


async def client(
    server: ServerProcess, conversation: str, name: str
) -> WebSocketClientConnection:
    socket = await open_socket(server)
    await frame(socket)
    who = {"id": name, "kind": "kernel", "name": name}
    await say(
        socket, type="authenticate", id=1, token=await token_of(server), client=who
    )
    await until(socket, "authenticated")
    await say(socket, type="subscribe", id=2, conversation=conversation)
    await until(socket, "live")
    return socket


async def offer(
    socket: WebSocketClientConnection, conversation: str, **more: Any
) -> None:
    tools = [{**RUN_SQL, **more}]
    await say(socket, type="tools.offer", id=3, conversation=conversation, tools=tools)
    await until(socket, "ack", re=3)


async def ask(server: ServerProcess, conversation: str, text: str) -> dict[str, Any]:
    return await api(server).request(
        "POST", f"conversations/{conversation}/messages", {"text": text}
    )


def lease_of(call: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {name: call[name] for name in ("conversation", "tool_call", "lease")} | more


def test_call_is_taken_reported_and_finished_once(server: ServerProcess) -> None:
    async def scenario() -> None:
        conversation = await new_conversation(server)
        kernel = await client(server, conversation, "k1")
        await offer(kernel, conversation)
        asking = asyncio.ensure_future(ask(server, conversation, ASK))
        call = (await until(kernel, "tool.call"))[-1]
        # What is to run is in the log before anybody is told to run it.
        now = await api(server).request("GET", f"conversations/{conversation}")
        assert now["state"]["tool_calls"][0]["status"] == "running"
        assert (call["name"], call["input"]) == ("run_sql", {"sql": "select 1"})
        await say(kernel, type="tool.accept", id=4, **lease_of(call))
        await until(kernel, "ack", re=4)
        await say(kernel, type="tool.progress", **lease_of(call, message="half"))
        progress = (await until(kernel, "tool.progress"))[-1]
        assert progress["message"] == "half"
        table = {"type": "table", "columns": ["n"], "rows": [["1"]], "total_rows": 1}
        result = lease_of(call, status="ok", output="one row", display=[table])
        await say(kernel, type="tool.result", id=5, **result)
        await until(kernel, "ack", re=5)
        completed = (await until(kernel, "tool.completed"))[-1]
        assert (completed["status"], completed["display"]) == ("ok", [table])
        # Sent again, as after a lost ack: the same answer, and nothing happens.
        await say(kernel, type="tool.result", id=6, **result)
        assert (await until(kernel, "ack", re=6))[-1]["duplicate"]
        answer = await asking
        assert answer["status"] == "completed"
        assert "one row" in answer["content"][0]["text"]

    play(scenario)


def test_busy_kernel_is_shown_and_can_be_cancelled(server: ServerProcess) -> None:
    async def scenario() -> None:
        conversation = await new_conversation(server)
        kernel = await client(server, conversation, "k1")
        await offer(kernel, conversation)
        asking = asyncio.ensure_future(ask(server, conversation, ASK))
        call = (await until(kernel, "tool.call"))[-1]
        await say(kernel, type="tool.accept", id=4, **lease_of(call))
        status = (await until(kernel, "turn.status", phase="waiting_kernel"))[-1]
        assert status["label"].startswith("Waiting for the kernel (busy for")
        cancel = f"conversations/{conversation}/turns/{status['turn']}/cancel"
        await api(server).request("POST", cancel)
        cancelled = (await until(kernel, "tool.cancel"))[-1]
        assert cancelled["lease"] == call["lease"]
        assert (await asking)["status"] == "cancelled"
        # Too late: the lease is not current, and the result goes nowhere.
        late = lease_of(call, status="ok", output="late")
        await say(kernel, type="tool.result", id=5, **late)
        assert (await until(kernel, "error", re=5))[-1]["code"] == "lease_lost"

    play(scenario)


def test_client_that_comes_back_goes_on_with_its_lease(server: ServerProcess) -> None:
    async def scenario() -> None:
        conversation = await new_conversation(server)
        kernel = await client(server, conversation, "k1")
        await offer(kernel, conversation)
        asking = asyncio.ensure_future(ask(server, conversation, ASK))
        call = (await until(kernel, "tool.call"))[-1]
        await say(kernel, type="tool.accept", id=4, **lease_of(call))
        await until(kernel, "ack", re=4)
        kernel.close()
        again = await client(server, conversation, "k1")
        await offer(again, conversation)
        result = lease_of(call, status="ok", output="still here")
        await say(again, type="tool.result", id=5, **result)
        await until(again, "ack", re=5)
        assert "still here" in (await asking)["content"][0]["text"]

    play(scenario)


def test_dead_kernel_ends_its_call_in_time_and_the_chat_goes_on(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        for accepts, status, words in (
            (False, "error", "did not run"),
            (True, "unknown", "may have run"),
        ):
            conversation = await new_conversation(server)
            page = await client(server, conversation, "page")
            kernel = await client(server, conversation, "k1")
            await offer(kernel, conversation)
            asking = asyncio.ensure_future(ask(server, conversation, ASK))
            call = (await until(kernel, "tool.call"))[-1]
            if accepts:
                await say(kernel, type="tool.accept", id=4, **lease_of(call))
                await until(kernel, "ack", re=4)
            kernel.close()
            async with asyncio.timeout(5):
                completed = (await until(page, "tool.completed"))[-1]
            assert completed["status"] == status
            assert words in completed["output"]
            assert (await asking)["status"] == "completed"
            # Another kernel lends it anew, and it runs there.
            other = await client(server, conversation, "k2")
            await offer(other, conversation)
            asking = asyncio.ensure_future(ask(server, conversation, ASK))
            call = (await until(other, "tool.call"))[-1]
            await say(other, type="tool.accept", id=4, **lease_of(call))
            done = lease_of(call, status="ok", output="new kernel")
            await say(other, type="tool.result", id=5, **done)
            assert "new kernel" in (await asking)["content"][0]["text"]

    play(scenario)


def test_idempotent_tool_gets_one_more_attempt(server: ServerProcess) -> None:
    async def scenario() -> None:
        conversation = await new_conversation(server)
        first = await client(server, conversation, "k1")
        await offer(first, conversation, idempotent=True)
        asking = asyncio.ensure_future(ask(server, conversation, ASK))
        call = (await until(first, "tool.call"))[-1]
        await say(first, type="tool.accept", id=4, **lease_of(call))
        await until(first, "ack", re=4)
        second = await client(server, conversation, "k2")
        await offer(second, conversation, idempotent=True)
        first.close()
        again = (await until(second, "tool.call"))[-1]
        assert (again["attempt"], again["tool_call"]) == (2, call["tool_call"])
        assert again["lease"] != call["lease"]
        await say(second, type="tool.accept", id=4, **lease_of(again))
        done = lease_of(again, status="ok", output="second time")
        await say(second, type="tool.result", id=5, **done)
        assert "second time" in (await asking)["content"][0]["text"]

    play(scenario)


def test_lent_tool_that_changes_something_asks_first(server: ServerProcess) -> None:
    async def scenario() -> None:
        conversation = await new_conversation(server)
        kernel = await client(server, conversation, "k1")
        page = await client(server, conversation, "page")
        await offer(kernel, conversation, risk="write")
        asking = asyncio.ensure_future(ask(server, conversation, ASK))
        asked = (await until(page, "tool.approval_requested"))[-1]
        approve = {"conversation": conversation, "approval": asked["approval"]}
        edited = {"sql": "select 2"}
        await say(
            page,
            type="approve",
            id=9,
            decision="approved",
            edited_input=edited,
            **approve,
        )
        assert (await until(page, "ack", re=9))[-1]["seq"] > asked["seq"]
        # Another seat says otherwise: the recorded answer is named.
        path = f"conversations/{conversation}/approvals/{asked['approval']}"
        refused = await fetch(server, "POST", path, {"decision": "denied"})
        assert refused.code == 409
        assert b'"recorded":"approved"' in refused.body
        call = (await until(kernel, "tool.call"))[-1]
        assert call["input"] == edited
        await say(kernel, type="tool.accept", id=4, **lease_of(call))
        done = lease_of(call, status="ok", output="2")
        await say(kernel, type="tool.result", id=5, **done)
        assert (await asking)["status"] == "completed"

    play(scenario)


def test_offers_are_checked(server: ServerProcess) -> None:
    async def scenario() -> None:
        conversation = await new_conversation(server)
        kernel = await client(server, conversation, "k1")
        wrong: list[tuple[list[dict[str, Any]], str]] = [
            ([{**RUN_SQL, "name": "search_contacts"}], "tool_name_taken"),
            ([RUN_SQL, RUN_SQL], "invalid_input"),
            ([{**RUN_SQL, "input_schema": {"type": "nonsense"}}], "invalid_input"),
            ([{**RUN_SQL, "name": "no spaces"}], "bad_frame"),
        ]
        for number, (tools, code) in enumerate(wrong, start=10):
            await say(
                kernel,
                type="tools.offer",
                id=number,
                conversation=conversation,
                tools=tools,
            )
            error = (await until(kernel, "error", re=number))[-1]
            assert error["code"] == code, error
        other = await new_conversation(server)
        gone = {"conversation": other, "tool_call": "t", "lease": "l_nothing"}
        await say(kernel, type="tool.accept", id=30, **gone)
        assert (await until(kernel, "error", re=30))[-1]["code"] == "lease_lost"
        # Taken back: the model has no such tool any more.
        await offer(kernel, conversation)
        await say(
            kernel, type="tools.offer", id=31, conversation=conversation, tools=[]
        )
        await until(kernel, "ack", re=31)
        answer = await ask(server, conversation, ASK)
        assert "no tool `run_sql`" in answer["content"][0]["text"]

    play(scenario)
