"""streamchat_nb: an agent chat kit for notebooks.

``Chat()`` in a notebook cell is the chat; ``@tool`` makes a function one that agents
can call. Everything here is loaded on first use: importing the package costs nothing.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

from streamchat_nb._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from streamchat_nb.errors import StreamchatError
    from streamchat_nb.tools.decorator import tool
    from streamchat_nb.tools.tool import ToolContext, ToolResult
    from streamchat_nb.widget.chat import Answer, Chat

__all__ = [
    "Answer",
    "Chat",
    "StreamchatError",
    "ToolContext",
    "ToolResult",
    "__version__",
    "tool",
]

_HOMES = {
    "Answer": "streamchat_nb.widget.chat",
    "Chat": "streamchat_nb.widget.chat",
    "StreamchatError": "streamchat_nb.errors",
    "ToolContext": "streamchat_nb.tools.tool",
    "ToolResult": "streamchat_nb.tools.tool",
    "tool": "streamchat_nb.tools.decorator",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type depends on the name
    """Load a public name on first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'streamchat_nb' has no attribute {name!r}")
    value = getattr(_import(home), name)
    globals()[name] = value
    return value


def _import(module: str) -> Any:  # noqa: ANN401 - a module's names are its own
    """Import a module while the collector rests.

    In a kernel it would look at all that is there, once or twice, for a fifth of the
    time that this takes; and what a module makes stays.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return import_module(module)
    finally:
        if was_on:
            gc.enable()


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give an IPython ``%chat`` and ``%%chat``: ``%load_ext streamchat_nb``."""
    from streamchat_nb.widget.magics import load  # noqa: PLC0415

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take them away again: ``%unload_ext streamchat_nb``."""
    from streamchat_nb.widget.magics import unload  # noqa: PLC0415

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:  # pyright: ignore[reportUnusedFunction] - found by name
    """Name the server extension to Jupyter."""
    extension = _import("streamchat_nb.server.extension").StreamchatExtension
    return [{"module": "streamchat_nb", "app": extension}]
