from __future__ import annotations

import asyncio
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from langchain.tools import ToolRuntime  # noqa: TC002 (LangChain reads it)
from langchain_core.tools import (
    BaseTool,
    InjectedToolArg,
    InjectedToolCallId,
    StructuredTool,
    tool,
)
from langchain_core.tools import Tool as TextTool
from pydantic import Field
from typing_extensions import override

from streamchat_nb.errors import UsageError
from streamchat_nb.protocol.content import Action, ToolUseBlock
from streamchat_nb.tools.dispatch import Outcome, refusal_of, run_tool
from streamchat_nb.tools.langchain import LangChainTool
from streamchat_nb.tools.registry import ToolSet, load_tools
from streamchat_nb.tools.tool import ToolResult
from streamchat_nb.widget.lent_tools import as_kernel_tool

if TYPE_CHECKING:
    from streamchat_nb.tools.tool import Tool

LINK = Action(kind="link", label="More", href="https://example.org/")


@tool
async def search(query: str, most: Annotated[int, Field(ge=1)] = 3) -> str:
    """Search for something."""
    return f"{query} x {most}"


@tool
def where() -> str:
    """Say on which thread it runs."""
    return threading.current_thread().name


@tool(response_format="content_and_artifact")
def linked(as_json: bool) -> tuple[str, object]:
    """Give a link."""
    if as_json:
        link = {"kind": "link", "label": "More", "href": "https://example.org/"}
        return "Here.", {"actions": [link], "other": 1}
    return "Here.", ToolResult(output="", actions=(LINK,))


@tool
def pictured() -> list[dict[str, Any]]:
    """Draw."""
    picture = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
    return [{"type": "text", "text": "A picture."}, picture]


@tool
async def named_call(tool_call: Annotated[str, InjectedToolCallId]) -> str:
    """Say the id of the call."""
    return tool_call


@tool
async def fails() -> str:
    """Fail."""
    raise LookupError("no such book")


class Shouting(BaseTool):
    name: str = "shout"
    description: str = "Shout."

    @override
    def _run(self, text: str) -> str:
        return text.upper()


def double(text: str) -> str:
    return text * 2


async def with_schema(**fields: Any) -> str:
    return str(fields)


twice = TextTool(name="twice", description="Say it twice.", func=double)
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
}
by_schema = StructuredTool.from_function(
    coroutine=with_schema, name="by_schema", description="Any.", args_schema=SCHEMA
)


def run(made: Tool, input_: dict[str, Any]) -> Outcome:
    call = ToolUseBlock(id="c1", name=made.name, input=input_)
    refused = refusal_of(made, call, known=[made.name])
    if refused is not None:
        return refused
    return asyncio.run(
        run_tool(
            made,
            call,
            conversation="c",
            turn="t",
            report=lambda _text, _fraction: None,
            timeout_s=30,
            output_limit_bytes=1000,
        )
    )


def test_a_tool_is_told_with_its_schema() -> None:
    made = LangChainTool(search)
    assert (made.name, made.description) == ("search", "Search for something.")
    assert made.input_schema["required"] == ["query"]
    assert made.input_schema["properties"]["most"]["minimum"] == 1
    assert set(made.input_schema) == {"type", "properties", "required"}
    assert ToolSet([made]).definitions()[0]["input_schema"] == made.input_schema


@pytest.mark.parametrize(
    ("made", "input_", "output"),
    [
        (search, {"query": "x"}, "x x 3"),
        (Shouting(), {"text": "hello"}, "HELLO"),
        (twice, {"tool_input": "ho"}, "hoho"),
        (by_schema, {"a": 1}, "{'a': 1}"),
        (named_call, {}, "c1"),
    ],
)
def test_a_tool_runs(made: BaseTool, input_: dict[str, Any], output: str) -> None:
    outcome = run(LangChainTool(made), input_)
    assert (outcome.status, outcome.output) == ("ok", output)


def test_input_is_validated_here_also_by_a_json_schema() -> None:
    for made, input_ in ((search, {"query": 1}), (by_schema, {"a": "1"})):
        outcome = run(LangChainTool(made), input_)
        assert outcome.status == "error"
        assert "is not valid" in outcome.output


def test_what_a_tool_raises_is_its_result() -> None:
    outcome = run(LangChainTool(fails), {})
    assert (outcome.status, outcome.output) == ("error", "LookupError: no such book")


def test_a_synchronous_tool_runs_on_a_thread() -> None:
    assert run(LangChainTool(where), {}).output != threading.current_thread().name


def test_artifacts_and_pictures_are_for_people() -> None:
    for as_json in (True, False):
        assert run(LangChainTool(linked), {"as_json": as_json}).actions == [LINK]
    outcome = run(LangChainTool(pictured), {})
    assert outcome.output == "A picture."
    assert [picture.media_type for picture in outcome.display] == ["image/png"]  # type: ignore[union-attr]


@tool
def with_runtime(question: str, runtime: ToolRuntime[Any, Any]) -> str:
    """Need a graph."""
    return question + str(runtime)


@tool
def with_state(question: str, state: Annotated[dict[str, Any], InjectedToolArg]) -> str:
    """Need a state."""
    return question + str(state)


def hidden_runtime(a: int, runtime: ToolRuntime[Any, Any]) -> str:
    return f"{a}{runtime}"


schema_and_runtime = StructuredTool.from_function(
    func=hidden_runtime, name="hidden", description="Any.", args_schema=SCHEMA
)


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (with_runtime, "runtime"),
        (with_state, "state"),
        (schema_and_runtime, "runtime"),
    ],
)
def test_what_only_a_graph_can_run_is_refused(made: BaseTool, what: str) -> None:
    with pytest.raises(UsageError, match=f"takes {what} from the LangGraph graph"):
        LangChainTool(made)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"risk": "any"}, "risk"), ({"timeout_s": 0}, "timeout_s")],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LangChainTool(search, **options)
    with pytest.raises(UsageError, match="cannot be the name"):
        LangChainTool(TextTool(name="no name", description="", func=double))


def test_tools_are_taken_where_tools_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("tools_of_a_test")
    module.__dict__["all_tools"] = [search, Shouting()]
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    found = load_tools(["tools_of_a_test:all_tools"])
    assert [each.name for each in found] == ["search", "shout"]
    lent = as_kernel_tool(search, risk="write", thread=True)
    assert isinstance(lent, LangChainTool)
    assert (lent.where, lent.needs_approval) == ("kernel", True)
