"""What a LangGraph graph remembers of a conversation, kept fit to go on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

__all__ = ["QUESTIONS", "remembered", "repair_checkpoint"]

QUESTIONS = "streamchat_questions"
"""In a checkpoint's metadata: how many messages of the user the graph has seen."""

_INTERRUPTED = "The call was interrupted; it may have run."


async def remembered(graph: Any, config: dict[str, Any]) -> tuple[bool, int | None]:  # noqa: ANN401 - any graph
    """Return whether a graph remembers this conversation, and how much of it.

    Returns:
        Whether it does, and how many messages of the user it has seen, where it was
        told; ``None`` where another program wrote its memory.
    """
    state = await graph.aget_state(config)
    metadata = cast("dict[str, object]", state.metadata or {})
    seen = metadata.get(QUESTIONS)
    return bool(state.values), seen if isinstance(seen, int) else None


async def repair_checkpoint(graph: Any, config: dict[str, Any]) -> None:  # noqa: ANN401 - any graph
    """Give a result to each tool call at the end of a graph's memory that has none.

    A cancelled or failed run leaves such calls, and no model takes them. Changes
    nothing where nothing is amiss.
    """
    state = await graph.aget_state(config)
    values: object = state.values
    if not isinstance(values, dict):
        return
    messages: list[Any] = cast("dict[str, Any]", values).get("messages") or []
    results = _missing_results(messages)
    if not results:
        return
    as_node = "tools" if "tools" in graph.nodes else next(iter(state.next), None)
    await graph.aupdate_state(config, {"messages": results}, as_node=as_node)


def _missing_results(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return the last message's calls with all results, if one of them is missing.

    All of it: what was there may not have been kept for good. What was is replaced.
    """
    from langchain_core.messages import ToolMessage

    given: dict[str, ToolMessage] = {}
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            given[message.tool_call_id] = message
            continue
        calls = cast("AIMessage", message).tool_calls if message.type == "ai" else []
        if all(call["id"] in given for call in calls):
            return []
        results = [
            given.get(call["id"] or "")
            or ToolMessage(
                content=_INTERRUPTED,
                tool_call_id=call["id"] or "",
                name=call["name"],
                status="error",
            )
            for call in calls
        ]
        return [message, *results]
    return []
