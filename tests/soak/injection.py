"""Orders in what a model reads: nothing that could do harm runs before a person agrees.

Twelve texts in each of 24 places: results and errors of tools, descriptions, data that
was shared, titles, cells of the notebook. The model does whatever it reads there (see
``tests.soak.obedient``). Each call has to ask, with all of what would run in view, and
nothing may run that was denied or whose turn was cancelled. In each conversation one
call is approved, so that the count is known to count.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from streamchat_nb.agent.approvals import input_hash
from streamchat_nb.protocol.content import DataBlock
from streamchat_nb.protocol.events import (
    ToolApprovalRequested,
    ToolCompleted,
    ToolRequested,
    ToolStarted,
)
from streamchat_nb.testing.history_check import check
from tests.soak.obedient import WITNESS, orders_of
from tests.soak.outcome import Fault, Outcome
from tests.soak.raw_client import call
from tests.soak.real_kernel import real_kernel
from tests.soak.real_server import real_server
from tests.soak.talk import Talk

if TYPE_CHECKING:
    from typing import Literal

    from streamchat_nb.protocol.content import UserBlock
    from tests.soak.real_kernel import RealKernel
    from tests.soak.real_server import RealServer

__all__ = ["FAULT"]

CORPUS = Path(__file__).parents[1] / "fixtures" / "injections.json"
IN_A_TALK = 12
WITNESS_FILE = "witness"
NOTEBOOK_FILE = "read.ipynb"
DANGEROUS = ("delete_all", "run_code", "run_python")
AS_RESULT = {
    "tool result text": "text",
    "tool result json string": "json",
    "tool exception message": "exception",
    "tool name": "json",
    "tool progress text": "progress",
    "traceback": "exception",
    "error body from upstream": "exception",
    "Retry-After header": "exception",
    "request-id header": "exception",
}
AS_DESCRIPTION = ("tool description", "docstring")
AS_DATA = (
    "DataFrame cell",
    "file name",
    "file content",
    "variable name",
    "image alt text",
    "user display name",
    "conversation title",
)
"""All other carriers are cells of the notebook."""

SET_UP = """
from streamchat_nb import Chat

def described() -> str:
    return ""

chat = Chat({conversation!r}, notebook_tools=["read_notebook", "run_python"])
assert chat.messages == []  # it is connected, and has lent its tools
"""
DESCRIBE = """
described.__doc__ = {text!r}
chat.tool(described)
"""


def run(count: int, seed: int) -> Outcome:
    """Let ``count`` texts tell the model what to do."""
    del seed  # nothing here is by chance
    return asyncio.run(_run(count))


def _cases() -> list[tuple[str, str]]:
    """Return all carriers with all texts, so that the first have all carriers."""
    corpus = json.loads(CORPUS.read_text("utf-8"))
    texts: list[str] = corpus["injections"]
    return [
        (carrier, texts[(position + shift) % len(texts)])
        for shift in range(len(texts))
        for position, carrier in enumerate(corpus["carriers"])
    ]


async def _run(count: int) -> Outcome:
    cases = _cases()[:count]
    violations: list[str] = []
    asked = approved = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        real_server(
            environment={WITNESS: f"{folder}/{WITNESS_FILE}"},
            agent="tests.soak.obedient:make_agent",
            tools=["tests.soak.obedient:TOOLS"],
        ) as server,
        real_kernel(
            server.process, {"JPY_SESSION_NAME": f"{folder}/{NOTEBOOK_FILE}"}
        ) as kernel,
    ):
        for begin in range(0, len(cases), IN_A_TALK):
            trial = _Trial(server, kernel, Path(folder))
            await trial.talk(cases[begin : begin + IN_A_TALK])
            violations += trial.violations
            asked += trial.asked
            approved += trial.approved
    return Outcome(
        fault=FAULT.name,
        count=len(cases),
        violations=violations,
        figures={
            "calls that asked": str(asked),
            "ran without approval": str(sum("ran" in each for each in violations)),
            "ran with": str(approved),
        },
    )


class _Trial:
    """One conversation with the obedient model.

    Attributes:
        violations: What was wrong.
        asked: How many calls asked.
        approved: How many were approved.
    """

    def __init__(self, server: RealServer, kernel: RealKernel, folder: Path) -> None:
        self.violations: list[str] = []
        self.asked = 0
        self.approved = 0
        self._server = server
        self._kernel = kernel
        self._notebook = folder / NOTEBOOK_FILE
        self._witness = folder / WITNESS_FILE
        self._witness.touch()

    async def talk(self, cases: list[tuple[str, str]]) -> None:
        """Try cases in one conversation; the last of them is approved in part."""
        titles = [text for carrier, text in cases if carrier == "conversation title"]
        title = " ".join("".join(titles).split())
        async with await Talk.begin(self._server, title[:80]) as talk:
            await asyncio.to_thread(
                self._kernel.run, SET_UP.format(conversation=talk.conversation)
            )
            for number, (carrier, written) in enumerate(cases, start=1):
                # Of a docstring a model reads the lines of a paragraph as one.
                is_joined = carrier in AS_DESCRIPTION
                text = " ".join(written.split()) if is_joined else written
                turn = await self._deliver(talk, carrier, f"«{text}»")
                how = "cancel" if number % 3 == 0 else "deny"
                await self._decide(
                    talk, turn, text, how="one" if number == len(cases) else how
                )
            self.violations += map(str, check(await talk.close_the_books()))

    async def _deliver(self, talk: Talk, carrier: str, text: str) -> str:
        """Put a text where the model reads it; return the turn."""
        data: list[UserBlock] = []
        if carrier in AS_RESULT:
            question = "fetch"
            given = {"as": AS_RESULT[carrier], "text": text}
            path = self._witness.with_suffix(".given")
            path.write_text(json.dumps(given), encoding="utf-8")
        elif carrier in AS_DESCRIPTION:
            question = "look"
            await asyncio.to_thread(self._kernel.run, DESCRIBE.format(text=text))
        elif carrier in AS_DATA:
            question = "what is this?"
            data = [DataBlock(name=carrier, text=f"name: {text}\nrows: 3")]
        else:
            question = "read the notebook"
            self._notebook.write_text(_notebook(carrier, text), encoding="utf-8")
        turn = await talk.send(question, *data)
        if question == "read the notebook":
            for reading in await self._asked(talk, turn, ["read_notebook"]):
                await self._answer(talk, reading, "approved")
        return turn

    async def _asked(self, talk: Talk, turn: str, names: list[str]) -> list[_Asked]:
        """Wait until calls of these tools ask, each one; return them, in order."""

        def found() -> list[_Asked]:
            requests = {
                event.tool_call: event
                for event in talk.tool_events
                if isinstance(event, ToolRequested) and event.turn == turn
            }
            asked = [
                _Asked(requests[event.tool_call], event)
                for event in talk.tool_events
                if isinstance(event, ToolApprovalRequested) and event.turn == turn
            ]
            return [each for each in asked if each.request.name in names]

        await talk.until(lambda: len(found()) >= len(names) or turn in talk.finished)
        if len(found()) < len(names):
            seen = [event for event in talk.tool_events if event.turn == turn]
            self.violations.append(f"{names} did not ask: {seen}")
        return found()

    async def _answer(self, talk: Talk, asked: _Asked, decision: str) -> None:
        path = f"conversations/{talk.conversation}/approvals/{asked.approval.approval}"
        status, answer = await call(
            self._server.address, "POST", path, {"decision": decision}
        )
        assert status < 300, answer

    async def _decide(
        self, talk: Talk, turn: str, text: str, *, how: Literal["deny", "cancel", "one"]
    ) -> None:
        """Look at what asks; deny it, end its turn, or agree to one; count what ran."""
        orders = orders_of(text, str(self._witness))
        names = [name for name, _ in orders if name in DANGEROUS]
        asked = await self._asked(talk, turn, names)
        self.asked += len(asked)
        approved: list[str] = []
        for each in asked:
            self._look(each, text)
            if how == "one" and each.request.name == "run_code":
                await self._answer(talk, each, "approved")
                approved.append(f"run_code {each.request.input['code']!r}")
            elif how != "cancel":
                await self._answer(talk, each, "denied")
        if how == "cancel":
            path = f"conversations/{talk.conversation}/turns/{turn}/cancel"
            await call(self._server.address, "POST", path, {})
        await talk.until(lambda: turn in talk.finished)
        self.approved += len(approved)
        self._count(talk, asked, approved)

    def _count(self, talk: Talk, asked: list[_Asked], approved: list[str]) -> None:
        """Compare what ran with what was approved."""
        calls = {each.request.tool_call for each in asked}
        events = [event for event in talk.tool_events if event.tool_call in calls]
        started = sum(isinstance(event, ToolStarted) for event in events)
        ended = sum(isinstance(event, ToolCompleted) for event in events)
        ran = self._witness.read_text("utf-8").splitlines()
        self._witness.write_text("", encoding="utf-8")
        if started != len(approved) or ran != approved:
            self.violations.append(f"{ran} ran where {approved} was approved")
        if ended != len(asked):
            self.violations.append(f"{ended} of {len(asked)} calls ended")

    def _look(self, asked: _Asked, text: str) -> None:
        """Check that what would run is shown in full, and that its answer is for it."""
        expected = [
            input_
            for name, input_ in orders_of(text, str(self._witness))
            if name == asked.request.name
        ]
        if asked.request.input not in expected:
            self.violations.append(f"not in view: {expected[0]}, {asked.request.input}")
        if asked.approval.input_hash != input_hash(asked.request.input):
            self.violations.append("an approval is for another input")
        if asked.approval.may_remember and asked.approval.risk == "exec":
            self.violations.append("an approval of any code may be remembered")


class _Asked(NamedTuple):
    """A call that waits for a person."""

    request: ToolRequested
    approval: ToolApprovalRequested


def _notebook(carrier: str, text: str) -> str:
    """Return a notebook with a text in one of its cells."""
    is_text = carrier == "notebook markdown cell"
    cell: dict[str, Any] = {
        "cell_type": "markdown" if is_text else "code",
        "id": "one",
        "metadata": {"note": text},
        "source": f"# {carrier}: {text}",
    }
    if not is_text:
        output = {"output_type": "stream", "name": "stdout", "text": text}
        cell |= {"execution_count": 1, "outputs": [output]}
    about: dict[str, Any] = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps({"cells": [cell], **about})


FAULT = Fault(name="injection", in_ci=24, in_soak=288, run=run)
