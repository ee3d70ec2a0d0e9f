"""What this notebook lends to its conversations: its functions and its variables."""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.client.kernel_tools import KernelTool
from streamchat_nb.client.main_thread import MainThread, notebook_loop
from streamchat_nb.errors import UsageError
from streamchat_nb.tools.decorator import FunctionTool
from streamchat_nb.tools.langchain import LangChainTool, is_langchain_tool
from streamchat_nb.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from langchain_core.tools import BaseTool

    from streamchat_nb.client.sync_client import SyncConversation

__all__ = [
    "LentTools",
    "as_kernel_tool",
    "main_thread",
    "user_namespace",
    "wanted_notebook_tools",
]

NOTEBOOK_TOOLS = (
    "list_variables",
    "describe_variable",
    "preview_data_frame",
    "read_notebook",
    "run_python",
)


@functools.cache
def main_thread() -> MainThread:
    """Return this process's main thread, as something to run functions on."""
    return MainThread(notebook_loop())


def wanted_notebook_tools(wanted: bool | Iterable[str]) -> list[Tool]:
    """Return the tools that every notebook can lend; none outside of IPython.

    Args:
        wanted: All, none, or those named.

    Raises:
        UsageError: A name is none of them; says which there are.
    """
    if isinstance(wanted, bool):
        names = NOTEBOOK_TOOLS if wanted else ()
    else:
        names = tuple(wanted)
    for name in names:
        if name not in NOTEBOOK_TOOLS:
            raise UsageError(
                f"There is no notebook tool {name!r}; there are "
                f"{', '.join(NOTEBOOK_TOOLS)}."
            )
    shell = _shell()
    if shell is None or not names:
        return []
    from streamchat_nb.client.notebook_tools import (  # noqa: PLC0415 - when wanted
        notebook_tools,
    )

    return notebook_tools(shell, main_thread(), names)


class LentTools:
    """The tools of this process, by conversation and name. Safe from any thread.

    A cell that runs again replaces its tools; several chats on one conversation add to
    each other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tools: dict[str, dict[str, Tool]] = {}

    def lend(self, conversation: SyncConversation, tools: Iterable[Tool]) -> None:
        """Lend tools to a conversation, besides those lent before.

        Raises:
            StreamchatError: The server does not take them; those before stay.
        """
        new = {tool.name: tool for tool in tools}
        if not new:
            return
        with self._lock:
            before = self._tools.get(conversation.id, {})
            merged = {**before, **new}
            conversation.lend(merged.values())
            self._tools[conversation.id] = merged


def as_kernel_tool(
    function: Callable[..., Any] | Tool | BaseTool,
    **options: Any,  # noqa: ANN401 - as KernelTool takes them
) -> Tool:
    """Return a function of the notebook as a tool that runs in its kernel.

    A ``Tool`` that is one already stays as it is. A LangChain tool runs beside the
    cells, not on their thread.

    Raises:
        UsageError: It cannot be a tool; says why.
    """
    if isinstance(function, FunctionTool) and not isinstance(function, KernelTool):
        made = cast("FunctionTool[..., Any]", function)
        return KernelTool(
            made.function,
            main_thread=main_thread(),
            name=made.name,
            label=made.label,
            timeout_s=made.timeout_s,
            risk=made.risk,
            needs_approval=made.needs_approval,
        )
    if isinstance(function, Tool):
        return cast("Tool", function)
    if is_langchain_tool(function):
        options.pop("thread", None)  # it never waits for the main thread
        return LangChainTool(cast("Any", function), where="kernel", **options)
    plain = cast("Callable[..., Any]", function)
    return cast("Tool", KernelTool(plain, main_thread=main_thread(), **options))


def user_namespace() -> Mapping[str, object]:
    """Return the notebook's names; none outside of IPython."""
    shell = _shell()
    return {} if shell is None else shell.user_ns


def _shell() -> Any | None:  # noqa: ANN401 - IPython's, which has no types
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - heavy

    return get_ipython()
