from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING, Any, assert_type

import pytest

from streamchat_nb.errors import ToolError, UsageError
from streamchat_nb.protocol.content import Action
from streamchat_nb.tools.decorator import FunctionTool, tool
from streamchat_nb.tools.tool import Tool, ToolContext, ToolResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

CONTEXT = ToolContext(
    conversation="c",
    turn="t",
    tool_call="x",
    report=lambda _text, _fraction: None,
    is_cancelled=lambda: False,
)


def run(a_tool: Tool, **input_: object) -> ToolResult:
    return asyncio.run(a_tool.call(input_, CONTEXT))


@tool
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@tool(
    name="look-up", label="Looking…", timeout_s=3, sequential=True, needs_approval=True
)
async def look_up(word: str) -> list[str]:
    """Look a word up."""
    await asyncio.sleep(0)
    return [word, word.upper()]


def test_tool_stays_the_function_it_was() -> None:
    assert assert_type(add(1), int) == 3
    assert add(1, b=1) == 2
    found = asyncio.run(look_up("ada"))
    assert assert_type(found, list[str]) == ["ada", "ADA"]
    assert add.__name__ == "add"
    assert add.__doc__ == "Add two numbers."
    assert add.function(2, 2) == 4


def test_tool_without_options_has_defaults() -> None:
    assert (add.name, add.label) == ("add", "Using add…")
    assert (add.timeout_s, add.sequential, add.needs_approval) == (120.0, False, False)
    assert add.description == "Add two numbers."
    assert add.where == "server"
    assert add.origin == f"{__name__}:add"
    assert repr(add) == f"<tool add: {__name__}:add>"


def test_tool_with_options_keeps_them() -> None:
    assert (look_up.name, look_up.label) == ("look-up", "Looking…")
    assert (look_up.timeout_s, look_up.sequential) == (3, True)
    assert look_up.needs_approval


def test_call_of_sync_function_runs_on_a_thread() -> None:
    @tool
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert run(where) == ToolResult(output="false")


def test_call_of_async_function_runs_on_the_loop() -> None:
    @tool
    async def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert run(where) == ToolResult(output="true")


def test_call_encodes_the_return_value() -> None:
    assert run(add, a=1) == ToolResult(output="3")
    assert run(look_up, word="ada") == ToolResult(output='["ada","ADA"]')


def test_call_passes_a_result_through() -> None:
    result = ToolResult(
        output="no", status="error", actions=(Action(kind="button", label="Go"),)
    )

    @tool
    def f() -> ToolResult:
        return result

    assert run(f) is result


def test_call_of_value_that_reading_uses_up_is_a_clear_error() -> None:
    @tool
    def f() -> object:
        return map(str, [1, 2])

    with pytest.raises(ToolError, match="returned a map, which gives its values only"):
        run(f)


def test_call_that_draws_leaves_no_figure_in_pyplot() -> None:
    pyplot: Any = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    kept = pyplot.figure()

    @tool
    def draw() -> object:
        return pyplot.figure()

    @tool
    def show() -> object:
        return kept

    for drawing in (draw, show):
        assert run(drawing).output.startswith("matplotlib Figure")
        assert pyplot.get_fignums() == [kept.number]
    pyplot.close(kept)


def test_call_injects_the_context() -> None:
    @tool
    def f(word: str, context: ToolContext) -> str:
        return f"{word} {context.tool_call}"

    assert run(f, word="in").output == "in x"


def test_call_awaits_what_a_sync_function_gives() -> None:
    async def later() -> str:
        return "later"

    @tool
    def f() -> Awaitable[str]:
        return later()

    assert run(f).output == "later"


def test_tool_of_callable_object_and_of_partial() -> None:
    class Greeter:
        """Greets."""

        async def __call__(self, name: str) -> str:
            return f"Hello {name}"

    greet = tool(name="greet")(Greeter())
    assert run(greet, name="Ada").output == "Hello Ada"
    assert greet.description == "Greets."

    plus_one = tool(name="plus_one")(functools.partial(add.function, b=1))
    assert run(plus_one, a=1).output == "2"


def test_tool_of_generator_is_refused() -> None:
    def sync() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for function in (sync, later):
        with pytest.raises(UsageError, match="yields"):
            tool(function)


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "dots.in", "näme"])
def test_tool_with_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a tool"):
        tool(name=name)(add.function)


def test_tool_of_lambda_needs_a_name() -> None:
    with pytest.raises(UsageError, match="<lambda>"):
        tool(lambda: 1)


def test_tool_of_no_function_is_refused() -> None:
    not_callable: Any = "text"
    with pytest.raises(UsageError, match="not a str"):
        FunctionTool(not_callable)


@pytest.mark.parametrize("timeout_s", [0, -1.0])
def test_tool_without_time_is_refused(timeout_s: float) -> None:
    with pytest.raises(UsageError, match="timeout_s of tool add must be above 0"):
        tool(timeout_s=timeout_s)(add.function)
