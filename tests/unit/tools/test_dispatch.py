from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from typing_extensions import override

from streamchat_nb.errors import ToolError
from streamchat_nb.protocol.content import Action, TextDisplay, ToolUseBlock
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.dispatch import Outcome, refusal_of, run_tool
from streamchat_nb.tools.tool import Tool, ToolContext, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable


def call_of(name: str, **input_: object) -> ToolUseBlock:
    return ToolUseBlock(id="call-1", name=name, input=input_)


def run(
    a_tool: Tool,
    *,
    report: Callable[[str, float | None], None] = lambda _text, _fraction: None,
    timeout_s: float = 5,
    output_limit_bytes: int = 1_000,
    **input_: object,
) -> Outcome:
    call = call_of(a_tool.name, **input_)
    assert refusal_of(a_tool, call, known=[a_tool.name]) is None

    async def main() -> Outcome:
        return await run_tool(
            a_tool,
            call,
            conversation="c",
            turn="t",
            report=report,
            timeout_s=timeout_s,
            output_limit_bytes=output_limit_bytes,
        )

    return asyncio.run(main())


@tool
async def echo(text: str) -> str:
    """Say it again."""
    return text


class Odd(Tool):
    """A tool that was not made by the decorator."""

    name = "odd"
    description = "Odd."
    input_schema: dict[str, Any] = {"type": "object"}  # noqa: RUF012 (as tools have it)
    label = "Odd…"

    def __init__(self, result: object) -> None:
        self.result = result

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> Any:
        return self.result


def test_refusal_of_unknown_tool_names_the_known_ones() -> None:
    refusal = refusal_of(None, call_of("nope"), known=["alpha", "beta"])
    assert refusal == Outcome(
        status="error", output="There is no tool 'nope'. There are: alpha, beta."
    )


def test_refusal_of_unknown_tool_is_bounded() -> None:
    known = [f"tool_{n}" for n in range(500)]
    refusal = refusal_of(None, call_of("x" * 10_000), known=known)
    assert refusal is not None
    assert len(refusal.output) < 1_000
    assert refusal.output.endswith("and 450 more.")


def test_refusal_of_unknown_tool_without_any() -> None:
    refusal = refusal_of(None, call_of("nope"), known=[])
    assert refusal is not None
    assert "this conversation has no tools" in refusal.output


def test_refusal_of_invalid_input_says_what_is_wrong() -> None:
    refusal = refusal_of(echo, call_of("echo", text=5, extra="\ud800"), known=["echo"])
    assert refusal is not None
    assert refusal.status == "error"
    assert "The input of echo is not valid:" in refusal.output
    assert "\n- text: 5 is not of type 'string'" in refusal.output
    assert "extra" in refusal.output
    refusal.output.encode()


def test_run_gives_the_result() -> None:
    assert run(echo, text="hello") == Outcome(status="ok", output="hello")


def test_run_of_result_keeps_status_and_usable_actions() -> None:
    good = Action(kind="link", label="Profile", href="https://example.org")
    bad = Action(kind="link", label="Trap", href="javascript:alert(1)")
    result = ToolResult(output="maybe", status="unknown", actions=(good, bad, good))
    assert run(Odd(result)) == Outcome(status="unknown", output="maybe", actions=[good])


@pytest.mark.parametrize(
    ("result", "output"),
    [
        (ToolResult(output=" "), "Done."),
        (ToolResult(output="", status="error"), "The tool ended as error"),
    ],
)
def test_run_never_gives_an_empty_output(result: ToolResult, output: str) -> None:
    assert run(Odd(result)).output.startswith(output)


def test_run_of_tool_that_gives_no_result_is_an_error() -> None:
    outcome = run(Odd("just text"))
    assert outcome.status == "error"
    assert outcome.output == "The tool gave a str, not a ToolResult."


def test_run_cuts_the_output() -> None:
    outcome = run(echo, text="x" * 5_000_000 + "end")
    assert outcome.truncated
    assert len(outcome.output.encode()) < 1_100
    assert outcome.output.endswith("xend")


def test_run_of_raising_tool_tells_type_and_message_and_logs_no_values(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @tool
    def f(word: str) -> None:
        raise ValueError(f"cannot use {word}")

    with caplog.at_level(logging.DEBUG):
        outcome = run(f, word="hunter2")
    assert outcome == Outcome(status="error", output="ValueError: cannot use hunter2")
    assert "Tool f raised ValueError" in caplog.text
    assert "test_dispatch.py" in caplog.text
    assert "hunter2" not in caplog.text


def test_run_of_tool_error_gives_its_message_alone() -> None:
    @tool
    async def f() -> None:
        raise ToolError("The library is closed.")

    assert run(f) == Outcome(status="error", output="The library is closed.")


def test_run_of_tool_error_without_message_is_not_empty() -> None:
    @tool
    async def f() -> None:
        raise ToolError("")

    assert run(f).output == "The tool failed."


def test_run_of_exceptions_with_odd_texts() -> None:
    class UnspeakableError(Exception):
        @override
        def __str__(self) -> str:
            raise RuntimeError

    @tool
    def f(kind: str) -> None:
        match kind:
            case "empty":
                raise KeyError
            case "long":
                raise ValueError("x" * 1_000_000)
            case "surrogate":
                raise ValueError("\ud800")
            case _:
                raise UnspeakableError

    assert run(f, kind="empty").output == "KeyError"
    assert len(run(f, kind="long").output) < 2_100
    assert run(f, kind="surrogate").output == "ValueError: ?"
    assert run(f, kind="unspeakable").output == "UnspeakableError"


@pytest.mark.parametrize("is_async", [True, False])
def test_run_survives_a_tool_that_ends_the_process(is_async: bool) -> None:
    def leave() -> None:
        raise SystemExit(1)

    async def leave_later() -> None:
        raise SystemExit(1)

    outcome = run(tool(leave_later) if is_async else tool(leave))
    assert outcome.output == "The tool tried to end the process."


def test_run_of_tool_that_cancels_itself_is_an_error() -> None:
    @tool
    async def f() -> None:
        raise asyncio.CancelledError

    assert run(f).output == "The tool cancelled itself."


def test_run_beyond_its_time_is_a_timeout() -> None:
    ended: list[str] = []

    @tool
    async def f(context: ToolContext) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(f"cancelled: {context.cancelled}")

    outcome = run(f, timeout_s=0.02)
    assert outcome.status == "timeout"
    assert "did not finish within 0.02 s. It may still be running" in outcome.output
    assert ended == ["cancelled: True"]


def test_run_of_own_timeout_error_is_no_timeout() -> None:
    @tool
    async def f() -> None:
        raise TimeoutError("the library did not answer")

    assert run(f).status == "error"


def test_run_drops_what_comes_late() -> None:
    release, seen = threading.Event(), list[bool]()

    @tool
    def f(context: ToolContext) -> str:
        release.wait(10)
        seen.append(context.cancelled)
        context.progress("too late")
        return "too late"

    reports: list[str] = []
    outcome = run(f, timeout_s=0.02, report=lambda text, _: reports.append(text))
    assert outcome.status == "timeout"
    release.set()
    deadline = time.monotonic() + 10
    while not seen:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert seen == [True]
    assert reports == []


def test_run_delivers_the_last_report_before_its_result() -> None:
    @tool
    async def f(context: ToolContext) -> None:
        context.progress("first")
        await asyncio.sleep(0.001)
        context.progress("last")

    reports: list[str] = []
    run(f, report=lambda text, _: reports.append(text))
    assert reports == ["first", "last"]


def test_run_does_not_wait_for_a_tool_that_will_not_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @tool
    async def stubborn() -> str:
        for _ in range(20):
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue
        raise LookupError("nobody hears this")

    async def main() -> tuple[Outcome, float]:
        began = time.monotonic()
        outcome = await run_tool(
            stubborn,
            call_of("stubborn"),
            conversation="c",
            turn="t",
            report=lambda _text, _fraction: None,
            timeout_s=0.05,
            output_limit_bytes=100,
        )
        took = time.monotonic() - began
        await asyncio.sleep(0.5)  # its end, also bad, must bother nobody
        gc.collect()
        return outcome, took

    outcome, took = asyncio.run(main())
    assert caplog.records == []
    assert outcome.status == "timeout"
    assert took < 0.3


def test_cancelling_the_run_cancels_the_tool_and_goes_on() -> None:
    states: list[str] = []

    @tool
    async def f(context: ToolContext) -> None:
        states.append("begun")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            states.append(f"cancelled {context.cancelled}")
            raise

    async def main() -> bool:
        task = asyncio.create_task(
            run_tool(
                f,
                call_of("f"),
                conversation="c",
                turn="t",
                report=lambda _text, _fraction: None,
                timeout_s=60,
                output_limit_bytes=100,
            )
        )
        while not states:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        return task.cancelled()

    assert asyncio.run(main())
    assert states == ["begun", "cancelled True"]


def test_run_reports_progress_from_a_thread_and_keeps_the_last() -> None:
    @tool
    def f(context: ToolContext) -> str:
        for number in range(1, 1_001):
            context.progress(f"page {number}", number / 1_000)
        return f"{context.conversation} {context.turn} {context.tool_call}"

    reports: list[tuple[str, float | None]] = []
    outcome = run(f, report=lambda text, part: reports.append((text, part)))
    assert outcome.output == "c t call-1"
    assert reports[-1] == ("page 1000", 1.0)
    assert len(reports) < 20


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("own")]
)
def test_run_of_tool_that_raises_what_ends_a_program_is_an_error(
    error: BaseException,
) -> None:
    def ends() -> None:
        """End."""
        raise error

    assert run(tool(ends)).status == "error"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"output": 5}, "output"),
        ({"output": "text", "status": "bogus"}, "status"),
        ({"output": "text", "display": ("text",)}, "display"),
        ({"output": "text", "display": (TextDisplay(text=cast("str", 5)),)}, "display"),
    ],
)
def test_run_of_tool_whose_result_cannot_be_told_is_an_error(
    wrong: dict[str, Any], why: str
) -> None:
    outcome = run(Odd(ToolResult(**wrong)))
    assert outcome.status == "error"
    assert f"The {why} of a ToolResult" in outcome.output


def test_run_shows_what_fits_beside_the_text() -> None:
    shown = tuple(TextDisplay(text="y" * 50_000) for _ in range(4))
    outcome = run(
        Odd(ToolResult(output="x" * 200_000, display=shown)), output_limit_bytes=131_072
    )
    assert len(outcome.display) == 2
