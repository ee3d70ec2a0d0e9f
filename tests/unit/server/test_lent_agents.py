"""Agents that clients lend: leases, bad events, lost kernels, on a real service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from streamchat_nb.errors import Conflict, InvalidInput, StreamchatError, TooLarge
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.commands import (
    AcceptAgent,
    AgentOffer,
    FinishAgent,
    ReportAgent,
)
from streamchat_nb.protocol.content import (
    Action,
    Author,
    DataBlock,
    ErrorBody,
    TextBlock,
    Usage,
)
from streamchat_nb.protocol.frames import Ack, CancelAgent, RunAgent
from streamchat_nb.server import agent_desk, lent_events
from tests.unit.server.echo_service import ADA, EchoAgent, ended, play, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.agent_events import AgentEvent
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.server.agent_desk import AgentDesk
    from streamchat_nb.server.service import Service

FrameT = TypeVar("FrameT")
SOMEBODY = Author(id="x", name="", kind="user")


class Kernel:
    """A client that lends ``mine``, and does what a test says."""

    def __init__(self, desk: AgentDesk, name: str = "k1") -> None:
        self.desk = desk
        self.name = name
        self.frames: list[Frame] = []
        self._came = asyncio.Event()

    def say(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._came.set()

    def lend(self, *names: str) -> None:
        offers = [AgentOffer(name=name, model="m") for name in names or ("mine",)]
        self.desk.offer(self.name, offers, self.say, taken=["echo"])

    def leave(self) -> None:
        self.desk.leave(self.name, self.say)

    async def next(self, kind: type[FrameT], **fields: Any) -> FrameT:
        async with asyncio.timeout(10):
            while True:
                for frame in self.frames:
                    if isinstance(frame, kind) and all(
                        getattr(frame, name) == value for name, value in fields.items()
                    ):
                        self.frames.remove(frame)
                        return frame
                self._came.clear()
                await self._came.wait()

    async def accept(self) -> RunAgent:
        run = await self.next(RunAgent)
        self.desk.accept(self.name, AcceptAgent(id=1, **lease_of(run)))
        return run

    def report(self, run: RunAgent, number: int, *events: AgentEvent) -> Ack | None:
        command = ReportAgent(
            id=100 + number, number=number, events=list(events), **lease_of(run)
        )
        return self.desk.report(self.name, command)

    def finish(self, run: RunAgent, error: ErrorBody | None = None) -> bool:
        return self.desk.finish(
            self.name, FinishAgent(id=9, error=error, **lease_of(run))
        )


def lease_of(run: RunAgent) -> dict[str, str]:
    return {"conversation": run.conversation, "turn": run.turn, "lease": run.lease}


def begun(message: str = "m1", block: str = "b0") -> list[AgentEvent]:
    return [
        e.MessageCreated(message=message, role="user", author=SOMEBODY),
        e.BlockStarted(message=message, block=block, kind="text"),
        e.BlockDelta(message=message, block=block, kind="text", delta="Seen"),
    ]


def requested(tool_call: str = "c1", message: str = "m1") -> e.ToolRequested:
    return e.ToolRequested(
        message=message,
        block="b1",
        tool_call=tool_call,
        name="x",
        label="X",
        input={"a": 1},
        where="server",
    )


async def chosen(service: Service) -> tuple[ConversationLog, Kernel]:
    log = await service.create(ADA)
    turns = await service.conversation_turns(ADA, log.id)
    kernel = Kernel(turns.agents)
    kernel.lend()
    await service.configure(ADA, log.id, {"agent": "mine"})
    return log, kernel


def text_of(log: ConversationLog) -> str:
    return "".join(
        block.text
        for message in log.state.messages
        if message.role == "assistant"
        for block in message.blocks
    )


def test_lent_agent_answers_in_numbered_batches_each_written_once() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        receipt = await send(service, log, "hi")
        run = await kernel.accept()
        assert (run.agent, run.turn) == ("mine", receipt.turn)
        assert (run.log, run.seq) == (log.log, log.head)
        assert kernel.report(run, 1, *begun()) is None
        assert (await kernel.next(Ack, re=101)).result == {"superseded": False}
        # Sent again, as after a lost answer: the same, and nothing is written.
        again = kernel.report(run, 1, *begun())
        assert again is not None
        assert again.duplicate
        with pytest.raises(Conflict) as refused:
            kernel.report(run, 3, *begun("m2"))
        assert refused.value.code == "out_of_order"
        end = e.MessageCompleted(
            message="m1",
            content=[TextBlock(text="Seen all")],
            usage=Usage(output_tokens=3),
            actions=[Action(kind="link", label="bad", href="javascript:alert(1)")],
        )
        kernel.report(run, 2, end)
        await kernel.next(Ack, re=102)
        assert not kernel.finish(run)
        turn = await ended(log, receipt.turn)
        assert (turn.status, turn.agent, turn.model) == ("completed", "mine", "m")
        (question, answer) = log.state.messages
        assert (question.role, answer.role) == ("user", "assistant")
        assert answer.author == Author(id="mine", name="mine", kind="agent")
        assert answer.actions == []
        assert text_of(log) == "Seen all"
        assert kernel.finish(run)  # sent again: it was there before
        with pytest.raises(Conflict) as late:
            kernel.report(run, 3, *begun("m9"))
        assert late.value.code == "lease_lost"

    play(scenario)


WRONG: list[tuple[str, list[AgentEvent]]] = [
    ("no message", [e.BlockStarted(message="m7", block="b0", kind="text")]),
    (
        "a block that is not open",
        [e.BlockDelta(message="m1", block="b7", kind="text", delta="x")],
    ),
    ("a user's message", [e.MessageCompleted(message="w-user", content=[])]),
    ("twice the same", begun()),
    ("an id that is none", begun("no id")),
    ("a call of nobody", [e.ToolStarted(tool_call="c7")]),
    ("a call of another message", [requested(message="m7")]),
    ("twice the same call", [requested(), requested()]),
    (
        "an end twice",
        [
            requested(),
            e.ToolCompleted(tool_call="c1", status="ok", output="1"),
            e.ToolCompleted(tool_call="c1", status="ok", output="2"),
        ],
    ),
    (
        "a start without the answer",
        [
            requested(),
            e.ToolApprovalRequested(
                approval="a1", tool_call="c1", input_hash="", prompt="?", risk="write"
            ),
            e.ToolStarted(tool_call="c1"),
        ],
    ),
    (
        "a block of a person",
        [e.MessageCompleted(message="m1", content=[DataBlock(name="d", text="x")])],
    ),
    (
        "less than nothing",
        [
            e.MessageCompleted(
                message="m1", content=[], usage=Usage(output_tokens=-1_000_000)
            )
        ],
    ),
]


@pytest.mark.parametrize(
    "events", [events for _, events in WRONG], ids=[name for name, _ in WRONG]
)
def test_events_out_of_place_are_refused_and_fail_the_turn(
    events: list[AgentEvent],
) -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        receipt = await send(service, log, "hi")
        run = await kernel.accept()
        kernel.report(run, 1, *begun())
        await kernel.next(Ack, re=101)
        head = log.head
        with pytest.raises(InvalidInput) as refused:
            kernel.report(run, 2, *events)
        assert refused.value.code == "agent_events_invalid"
        turn = await ended(log, receipt.turn)
        assert (turn.status, turn.error.code) == ("failed", "agent_events_invalid")
        # Nothing of the batch is there; what was seen before is.
        assert text_of(log) == "Seen"
        assert not log.state.tool_calls
        assert log.head > head
        await kernel.next(CancelAgent, lease=run.lease)

    play(scenario)


def test_agent_that_says_too_much_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        receipt = await send(service, log, "hi")
        run = await kernel.accept()
        kernel.report(run, 1, *begun())
        await kernel.next(Ack)
        more = e.BlockDelta(message="m1", block="b0", kind="text", delta="x" * 2_000)
        with pytest.raises(TooLarge):
            kernel.report(run, 2, more)
        assert (await ended(log, receipt.turn)).error.code == "too_large"

    monkeypatch.setattr(lent_events, "MOST_BYTES", 1_000)
    play(scenario)


def test_other_clients_and_old_leases_are_not_heard() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        receipt = await send(service, log, "hi")
        run = await kernel.next(RunAgent)
        other = Kernel(kernel.desk, "k2")
        other.lend("else")
        calls: list[Callable[[], object]] = [
            lambda: other.desk.accept("k2", AcceptAgent(id=1, **lease_of(run))),
            lambda: other.report(run, 1, *begun()),
            lambda: other.finish(run),
        ]
        for call in calls:
            with pytest.raises(Conflict) as refused:
                call()
            assert refused.value.code == "lease_lost"
        await service.cancel(ADA, log.id, receipt.turn)
        await kernel.next(CancelAgent, lease=run.lease)
        with pytest.raises(Conflict):
            kernel.report(run, 1, *begun())
        assert text_of(log) == ""

    play(scenario)


def test_kernel_that_comes_back_goes_on_where_it_was() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        receipt = await send(service, log, "hi")
        run = await kernel.accept()
        kernel.leave()
        again = Kernel(kernel.desk, kernel.name)
        again.lend()
        assert await again.next(RunAgent) == run
        kernel.leave()  # the old connection ends late: it changes nothing
        again.report(run, 1, *begun())
        await again.next(Ack, re=101)
        again.finish(
            run, ErrorBody(code="mine", message="That is all.", retryable=True)
        )
        turn = await ended(log, receipt.turn)
        assert (turn.status, turn.error.message) == ("failed", "That is all.")

    play(scenario)


@pytest.mark.parametrize("has_begun", [True, False])
def test_lost_kernel_fails_what_had_begun_and_hands_on_what_had_not(
    monkeypatch: pytest.MonkeyPatch,
    has_begun: bool,
) -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        receipt = await send(service, log, "hi")
        run = await (kernel.accept() if has_begun else kernel.next(RunAgent))
        if has_begun:
            kernel.report(run, 1, *begun())
            await kernel.next(Ack)
        kernel.leave()
        other = Kernel(kernel.desk, "k2")
        if has_begun:
            turn = await ended(log, receipt.turn)
            assert (turn.error.code, turn.error.retryable) == ("agent_lost", True)
            assert text_of(log) == "Seen"
            assert log.state.messages[-1].status == "partial"
        else:
            other.lend()
            taken = await other.accept()
            assert taken.turn == run.turn
            assert taken.lease != run.lease
            other.finish(taken)
            assert (await ended(log, receipt.turn)).status == "completed"

    monkeypatch.setattr(agent_desk, "GONE_S", 0.05)
    play(scenario)


def test_absent_agent_is_waited_for_then_named_and_another_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        kernel.desk.offer(kernel.name, [], kernel.say, taken=[])
        receipt = await send(service, log, "hi")
        turn = await ended(log, receipt.turn)
        assert (turn.status, turn.error.code) == ("failed", "agent_absent")
        assert (
            "'mine' lives in a kernel that is gone; run its cell" in turn.error.message
        )
        # As after a restart of the server, which has never heard of it.
        del service._turns[log.id]
        log = await service.open(ADA, log.id)
        turn = await ended(log, (await send(service, log, "and now?")).turn)
        assert "There is no agent 'mine' now" in turn.error.message
        with pytest.raises(InvalidInput, match="there is 'echo'"):
            await service.configure(ADA, log.id, {"agent": "nobody"})
        await service.configure(ADA, log.id, {"agent": "echo"})
        turn = await ended(log, (await send(service, log, "hello")).turn)
        assert (turn.status, turn.agent) == ("completed", "echo")

    monkeypatch.setattr(agent_desk, "LENT_AGAIN_S", 0.05)
    play(scenario)


def test_names_are_checked_and_listed() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        with pytest.raises(Conflict) as taken:
            kernel.lend("echo")
        assert taken.value.code == "agent_name_taken"
        with pytest.raises(InvalidInput, match="same name"):
            kernel.lend("twin", "twin")
        with pytest.raises(InvalidInput, match="model can be chosen for the built-in"):
            await service.configure(ADA, log.id, {"model": "m"})
        listed = await service.describe_agents(ADA, log.id)
        told = [(one["name"], one["where"], one["default"]) for one in listed]
        assert told == [("echo", "server", True), ("mine", "kernel", False)]
        assert [one["name"] for one in await service.describe_agents(ADA)] == ["echo"]

    play(scenario)


def test_queued_turn_is_answered_by_who_is_chosen_when_it_starts() -> None:
    async def scenario(service: Service, _: EchoAgent) -> None:
        log, kernel = await chosen(service)
        first = await send(service, log, "one")
        run = await kernel.accept()
        second = await send(service, log, "two")
        await service.configure(ADA, log.id, {"agent": None})
        kernel.finish(run)
        await ended(log, second.turn)
        agents = {turn.turn: turn.agent for turn in log.state.turns}
        assert agents == {first.turn: "mine", second.turn: "echo"}

    play(scenario)


def test_error_of_an_agent_is_bounded() -> None:
    error = agent_desk._error_of(ErrorBody(code="c" * 100, message="x" * 10_000))
    assert isinstance(error, StreamchatError)
    assert (len(error.code), len(error.message)) == (64, 2_000)
