from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from streamchat_nb.conversation.spans import TurnSpans
from streamchat_nb.protocol.content import Author, ErrorBody, TextBlock, Usage
from streamchat_nb.protocol.events import (
    BlockDelta,
    BlockStarted,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolApprovalRequested,
    ToolApprovalResolved,
    ToolCompleted,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnQueued,
    TurnStarted,
    TurnStatus,
)

if TYPE_CHECKING:
    from streamchat_nb.protocol.events import Event
    from streamchat_nb.protocol.trace import TraceSpan

SENT = 1_700_000_000_000
AGENT = Author(id="a", name="a", kind="agent")
USER = Author(id="u", name="u", kind="user")


def spans_of(*timed: tuple[int, Event]) -> dict[str, TraceSpan]:
    reader = TurnSpans("t")
    for at, event in timed:
        reader.observe(msgspec.structs.replace(event, turn="t", ts=SENT + at))
    return {span.id: span for span in reader.spans()}


def asked() -> Event:
    text = [TextBlock(text="Hi")]
    return MessageCreated(message="u1", role="user", author=USER, content=[*text])


def began() -> Event:
    return TurnStarted(message="u1", agent="assistant", model="m")


def thinks() -> Event:
    return TurnStatus(phase="thinking", label="Agent is thinking…")


def writes(message: str = "m1") -> Event:
    return MessageCreated(message=message, role="assistant", author=AGENT)


def wrote(message: str = "m1", **more: Any) -> Event:
    return MessageCompleted(message=message, content=[TextBlock(text="x")], **more)


def wants(call: str, **more: Any) -> Event:
    return ToolRequested(
        message="m1",
        block="b1",
        tool_call=call,
        name="search",
        label="Using search…",
        input={},
        **more,
    )


def test_turn_of_one_step_queue_first_token_and_usage() -> None:
    usage = Usage(input_tokens=10, output_tokens=2)
    spans = spans_of(
        (0, asked()),
        (0, TurnQueued(message="u1")),
        (40, began()),
        (41, thinks()),
        (500, writes()),
        (501, BlockStarted(message="m1", block="b0", kind="text")),
        (502, BlockDelta(message="m1", block="b0", kind="text", delta="x")),
        (900, wrote(stop_reason="end_turn", usage=usage, cost=0.25)),
        (905, TurnFinished(status="completed")),
    )
    assert [*spans] == ["queue", "step-1"]
    queue, step = spans["queue"], spans["step-1"]
    assert (queue.start_ms, queue.end_ms, queue.status) == (0, 40, "started")
    assert (step.start_ms, step.first_ms, step.end_ms) == (41, 500, 900)
    assert (step.status, step.usage, step.cost) == ("end_turn", usage, 0.25)
    assert step.message == "m1"


def test_parallel_tools_overlap_and_the_next_step_follows() -> None:
    spans = spans_of(
        (0, asked()),
        (1, began()),
        (2, thinks()),
        (10, writes()),
        (20, wrote(stop_reason="tool_use")),
        (21, wants("a")),
        (21, wants("b")),
        (22, ToolStarted(tool_call="a")),
        (22, ToolStarted(tool_call="b")),
        (80, ToolCompleted(tool_call="b", status="error", output="Broke.\nmore")),
        (90, ToolCompleted(tool_call="a", status="ok", output="1")),
        (91, thinks()),
        (99, TurnFinished(status="cancelled")),
    )
    assert [*spans] == ["queue", "step-1", "a", "a/run-1", "b", "b/run-1", "step-2"]
    assert (spans["a"].start_ms, spans["a"].end_ms) == (21, 90)
    assert (spans["b/run-1"].start_ms, spans["b/run-1"].end_ms) == (22, 80)
    assert (spans["b"].status, spans["b"].detail) == ("error", "Broke.")
    assert (spans["step-2"].end_ms, spans["step-2"].status) == (99, "cancelled")


def test_approval_and_run_are_parts_of_their_call() -> None:
    asks = ToolApprovalRequested(
        approval="p", tool_call="a", input_hash="0", prompt="Run?", risk="exec"
    )
    says = ToolApprovalResolved(approval="p", tool_call="a", decision="approved")
    spans = spans_of(
        (0, asked()),
        (0, began()),
        (5, wants("a")),
        (6, asks),
        (4_000, says),
        (4_001, ToolStarted(tool_call="a")),
        (4_100, ToolCompleted(tool_call="a", status="ok", output="1")),
    )
    assert [*spans] == ["queue", "a", "a/approval", "a/run-1"]
    approval = spans["a/approval"]
    assert (approval.start_ms, approval.end_ms) == (6, 4_000)
    assert (approval.status, approval.parent) == ("approved", "a")
    assert (spans["a/run-1"].start_ms, spans["a/run-1"].end_ms) == (4_001, 4_100)


def test_busy_kernel_is_told_from_the_run() -> None:
    busy = TurnStatus(phase="waiting_kernel", label="Waiting for the kernel…")
    spans = spans_of(
        (0, asked()),
        (0, began()),
        (5, wants("a", where="kernel")),
        (6, ToolStarted(tool_call="a", executor="kernel", lease="l")),
        (1_006, busy),
        (2_006, busy),
        (2_500, ToolCompleted(tool_call="a", status="ok", output="1")),
    )
    assert [*spans] == ["queue", "a", "a/kernel", "a/run-1"]
    kernel, run = spans["a/kernel"], spans["a/run-1"]
    assert (kernel.start_ms, kernel.end_ms) == (6, 2_006)
    assert (run.start_ms, run.end_ms) == (2_006, 2_500)


def test_second_attempt_of_a_tool_is_a_run_of_its_own() -> None:
    spans = spans_of(
        (0, asked()),
        (0, began()),
        (5, wants("a", where="kernel")),
        (6, ToolStarted(tool_call="a")),
        (50, ToolStarted(tool_call="a", attempt=2)),
        (70, ToolCompleted(tool_call="a", status="ok", output="1")),
    )
    assert (spans["a/run-1"].end_ms, spans["a/run-1"].status) == (50, "lost")
    assert (spans["a/run-2"].end_ms, spans["a/run-2"].status) == (70, "ok")


def test_retry_is_between_two_steps() -> None:
    spans = spans_of(
        (0, asked()),
        (0, began()),
        (1, thinks()),
        (30, TurnStatus(phase="retrying", label="Overloaded", retry_in_ms=1_000)),
        (1_030, thinks()),
        (1_050, writes("m2")),
        (1_060, MessageDiscarded(message="m2", reason="Cut off.")),
        (1_060, TurnStatus(phase="retrying", label="Cut off", retry_in_ms=10)),
        (1_070, thinks()),
        (1_100, writes("m3")),
        (1_200, wrote("m3")),
        (1_201, TurnFinished(status="completed")),
    )
    assert [*spans] == ["queue", "step-1", "retry-1", "step-2", "retry-2", "step-3"]
    assert (spans["step-1"].status, spans["step-1"].detail) == ("failed", "Overloaded")
    assert (spans["retry-1"].start_ms, spans["retry-1"].end_ms) == (30, 1_030)
    assert spans["step-2"].status == "discarded"
    assert spans["step-3"].message == "m3"


def test_agent_that_says_nothing_of_its_thinking_has_steps() -> None:
    spans = spans_of(
        (0, asked()),
        (7, began()),
        (30, writes()),
        (50, wrote()),
        (60, writes("m2")),
        (90, wrote("m2")),
        (91, TurnFinished(status="completed")),
    )
    assert (spans["step-1"].start_ms, spans["step-1"].first_ms) == (7, 30)
    assert (spans["step-2"].start_ms, spans["step-2"].end_ms) == (50, 90)


def test_running_turn_has_open_spans_and_a_removed_one_only_waited() -> None:
    running = spans_of((0, asked()), (1, began()), (2, thinks()))
    assert running["step-1"].end_ms is None
    error = ErrorBody(code="x", message="Gone.")
    waiting = spans_of((0, asked()), (0, TurnQueued(message="u1")))
    assert waiting["queue"].end_ms is None
    removed = spans_of(
        (0, asked()),
        (0, TurnQueued(message="u1")),
        (500, TurnFinished(status="cancelled", error=error)),
    )
    assert [*removed] == ["queue"]
    queue = removed["queue"]
    assert (queue.end_ms, queue.status, queue.detail) == (500, "cancelled", "Gone.")


def test_other_turns_and_what_comes_after_the_end_are_passed_over() -> None:
    reader = TurnSpans("t")
    reader.observe(TurnStarted(turn="other", ts=5, message="m", agent="a"))
    assert reader.spans() == []
    assert reader.sent_ts == 0
    reader.observe(TurnFinished(turn="t", ts=5, status="failed"))
    reader.observe(TurnStatus(turn="t", ts=9, phase="thinking", label=""))
    assert [span.id for span in reader.spans()] == ["queue"]
    assert reader.is_over
