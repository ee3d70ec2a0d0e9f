"""Anything that can answer, as an agent."""

from __future__ import annotations

from typing import Any

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.function_agent import FunctionAgent
from streamchat_nb.errors import UsageError

__all__ = ["agent_of"]


def agent_of(
    value: object, name: str | None = None, description: str | None = None
) -> Agent:
    """Return what answers as an agent.

    Args:
        value: An ``Agent``, which stays what it is; a compiled LangGraph graph (what
            ``create_agent`` returns is one); or a function, as ``FunctionAgent`` takes
            it.
        name: How users choose it; the graph's or the function's own when ``None``. An
            ``Agent`` keeps its own.
        description: For users, in a line; its own when ``None``.

    Raises:
        UsageError: It is none of these; says what to do.
    """
    match value:
        case Agent():
            return value
        case _ if _is_graph(value):
            from streamchat_nb.agent.langgraph_agent import (  # noqa: PLC0415 - late
                LangGraphAgent,
            )

            return LangGraphAgent(value, name=name, description=description)
        case type():
            raise UsageError(f"{value.__name__} is a class; give an instance of it.")
        case _ if hasattr(value, "compile") and hasattr(value, "add_node"):
            raise UsageError("This graph is not compiled: give graph.compile().")
        case _ if hasattr(value, "ainvoke"):
            raise UsageError(
                f"A {type(value).__name__} is no agent by itself. Make one of it by "
                "create_agent(model, tools=[…]) of langchain.agents, or call it in an "
                "async generator function that yields text."
            )
        case _ if callable(value):
            made: Any = value
            return FunctionAgent(made, name=name, description=description)
        case _:
            raise UsageError(
                f"What is given ({type(value).__name__}) is no agent. Give an Agent, a "
                "compiled LangGraph graph, or an async generator function that yields "
                "text."
            )


def _is_graph(value: object) -> bool:
    """Say whether it is a compiled graph, without importing LangGraph."""
    return not isinstance(value, type) and all(
        hasattr(value, method) for method in ("astream", "aget_state", "get_graph")
    )
