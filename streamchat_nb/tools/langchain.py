"""Tools of LangChain as tools of ours. LangChain is imported late."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
from typing_extensions import override

from streamchat_nb.errors import ToolError, UsageError
from streamchat_nb.protocol.content import Action, Display, ImageDisplay
from streamchat_nb.tools.decorator import RISKS, TOOL_NAME
from streamchat_nb.tools.tool import Tool, ToolResult
from streamchat_nb.tools.validation import check_schema

if TYPE_CHECKING:
    from langchain_core.messages import ToolMessage
    from langchain_core.tools import BaseTool

    from streamchat_nb.protocol.events import Risk
    from streamchat_nb.tools.tool import ToolContext

__all__ = ["LangChainTool", "is_langchain_tool", "result_of_message"]

_MEDIA_TYPES = ("image/png", "image/jpeg")


class LangChainTool(Tool):
    """A LangChain ``BaseTool`` in our own loop.

    The model's input is validated against the tool's schema here, also where the tool
    has a JSON Schema, which LangChain does not check. A synchronous tool runs on a
    thread. A result with ``response_format="content_and_artifact"`` may carry a
    ``ToolResult``, or its ``display`` and ``actions`` as JSON, as artifact.

    Args:
        tool: The tool.
        label: Shown while it runs; ``"Using {name}…"`` when ``None``.
        timeout_s: Longest run, in seconds, above 0.
        sequential: Never run beside another call of the same turn.
        risk: What it may do: ``read``, ``write`` or ``exec``.
        needs_approval: A person must agree before it runs; ``None``: unless it only
            reads.
        idempotent: Running it twice does no more than running it once.
        where: Which side runs it.

    Raises:
        UsageError: It cannot run outside of a graph, or its name or schema cannot be
            used; says why.
    """

    def __init__(  # noqa: PLR0913 (options by keyword)
        self,
        tool: BaseTool,
        *,
        label: str | None = None,
        timeout_s: float = 120.0,
        sequential: bool = False,
        risk: Risk = "read",
        needs_approval: bool | None = None,
        idempotent: bool = False,
        where: Literal["server", "kernel"] = "server",
    ) -> None:
        if not TOOL_NAME.fullmatch(tool.name):
            raise UsageError(
                f"{tool.name!r} cannot be the name of a tool; use 1 to 64 letters, "
                "digits, '_' and '-'."
            )
        if risk not in RISKS:
            raise UsageError(f"risk of tool {tool.name} must be one of {RISKS}.")
        if timeout_s <= 0:
            raise UsageError(f"timeout_s of tool {tool.name} must be above 0.")
        _check_is_free(tool)
        self.tool = tool
        self.name = tool.name
        self.description = tool.description
        self.input_schema = _schema_of(tool)
        check_schema(self.input_schema, what=f"The input schema of tool {tool.name}")
        self.label = label if label is not None else f"Using {tool.name}…"
        self.timeout_s = timeout_s
        self.sequential = sequential
        self.risk = risk
        changes = risk != "read"
        self.needs_approval = changes if needs_approval is None else needs_approval
        self.idempotent = idempotent
        self.where = where

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        context.running()
        call = {
            "type": "tool_call",
            "name": self.name,
            "args": input_,
            "id": context.tool_call,
        }
        message = await self.tool.ainvoke(cast("Any", call))
        if not hasattr(message, "tool_call_id"):
            raise ToolError(
                f"{self.name} gave a {type(message).__name__}, which only a LangGraph "
                "graph can take."
            )
        return result_of_message(message)


def is_langchain_tool(value: object) -> bool:
    """Say whether this is a ``BaseTool``, without importing LangChain."""
    return not isinstance(value, type) and all(
        hasattr(value, name) for name in ("tool_call_schema", "ainvoke", "args_schema")
    )


def result_of_message(message: ToolMessage) -> ToolResult:
    """Return a tool's message as a result.

    Its artifact counts where it is a ``ToolResult``, or an object with its ``display``
    or ``actions`` as JSON: tables, pictures, links.
    """
    given = _given_by(cast("object", message.artifact))
    return ToolResult(
        output=str(message.text),
        status="error" if message.status == "error" else "ok",
        actions=given.actions,
        display=(*_pictures_of(message), *given.display),
    )


class _Given(msgspec.Struct):
    """What an artifact may hold for people."""

    actions: tuple[Action, ...] = ()
    display: tuple[Display, ...] = ()


def _given_by(artifact: object) -> ToolResult | _Given:
    if isinstance(artifact, ToolResult):
        return artifact
    if not isinstance(artifact, dict):
        return _Given()
    try:
        return msgspec.convert(artifact, _Given)
    except msgspec.ValidationError:
        return _Given()  # it is for somebody else


def _pictures_of(message: ToolMessage) -> tuple[ImageDisplay, ...]:
    if isinstance(message.content, str):
        return ()
    blocks = cast("list[dict[str, Any]]", message.content_blocks)
    return tuple(
        ImageDisplay(media_type=block["mime_type"], data=block["base64"])
        for block in blocks
        if block.get("type") == "image"
        and block.get("base64")
        and block.get("mime_type") in _MEDIA_TYPES
    )


def _schema_of(tool: BaseTool) -> dict[str, Any]:
    """Return what a model is told of the input, as JSON Schema."""
    if tool.args_schema is None and set(tool.args) == {"tool_input"}:
        # The oldest kind: one text, and a signature that says nothing.
        schema: dict[str, Any] = {"properties": tool.args, "required": ["tool_input"]}
    else:
        described: Any = tool.tool_call_schema
        if isinstance(described, dict):
            schema = dict(cast("dict[str, Any]", described))
        elif hasattr(described, "model_json_schema"):
            schema = described.model_json_schema()
        else:
            schema = described.schema()
    about = ("title", "description")
    return {
        "type": "object",
        "properties": {},
        **{key: value for key, value in schema.items() if key not in about},
    }


def _check_is_free(tool: BaseTool) -> None:
    """Check that nothing is injected into a tool but the id of the call.

    Raises:
        UsageError: Something is; says what.
    """
    from langchain_core.tools import InjectedToolCallId

    full: Any = tool.get_input_schema()
    fields = cast("dict[str, Any]", getattr(full, "model_fields", {}))
    shown = tool.tool_call_schema
    told = cast("Any", shown).model_fields if not isinstance(shown, dict) else fields
    injected = [
        name
        for name, field in fields.items()
        if name not in told
        and not any(
            each is InjectedToolCallId or isinstance(each, InjectedToolCallId)
            for each in field.metadata
        )
    ]
    injected += _runtimes_of(tool, but=injected)
    if injected:
        raise UsageError(
            f"The LangChain tool {tool.name} takes {', '.join(injected)} from the "
            "LangGraph graph that runs it, and there is none here. Let a graph run it "
            "(create_agent(model, tools=[…]) as the agent), or write a tool without."
        )


def _runtimes_of(tool: BaseTool, *, but: list[str]) -> list[str]:
    """Return a parameter that is a ``ToolRuntime``, of a tool with a schema given."""
    functions = [getattr(tool, name, None) for name in ("func", "coroutine", "_run")]
    return [
        parameter.name
        for function in functions
        if callable(function)
        for parameter in inspect.signature(function).parameters.values()
        if "ToolRuntime" in str(parameter.annotation) and parameter.name not in but
    ][:1]
