"""The layers of a token's way, and which code belongs to which. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CALLER", "LAYERS", "OTHER", "RULES", "layer_of"]

OTHER = "other"
CALLER = ""
"""Not a layer: what is so small that it works for whoever asks."""

RULES: tuple[tuple[str, str, str], ...] = (
    # Of the first one that fits: files, functions in them, the layer.
    ("*/asyncio/selector_events.py", "_read_ready*", "read"),
    ("*/asyncio/selector_events.py", "_write_ready*", "write"),
    ("*/asyncio/*", "*", "event loop"),
    ("*/selectors.py", "*", "event loop"),
    ("*/tornado/platform/asyncio.py", "*", "event loop"),
    ("*/tornado/ioloop.py", "*", "event loop"),
    ("*/concurrent/futures/*", "*", "event loop"),
    ("*/threading.py", "*", "event loop"),
    ("*/queue.py", "*", "event loop"),
    ("*/streamchat_nb/agent/*transport.py", "*", "read"),
    ("*/streamchat_nb/agent/http_*.py", "*", "read"),
    ("*/streamchat_nb/agent/open_socket.py", "*", "read"),
    ("*/streamchat_nb/agent/read_pace.py", "*", "read"),
    ("*/streamchat_nb/agent/wait_limit.py", "*", "read"),
    ("*/streamchat_nb/agent/loop_lag.py", "*", "read"),
    ("*/streamchat_nb/agent/repeating_client.py", "*", "request"),
    ("*/streamchat_nb/agent/anthropic_connection.py", "*", "read"),
    ("*/anthropic/*", "*", "request"),
    ("*/httpx2/*", "*", "request"),
    ("*/streamchat_nb/agent/event_stream.py", "*", "split"),
    ("*/streamchat_nb/agent/message_reader.py", "*", "split"),
    ("*/streamchat_nb/agent/accumulator.py", "*", "decode and accumulate"),
    ("*/streamchat_nb/agent/text_deltas.py", "*", "decode and accumulate"),
    ("*/streamchat_nb/agent/*", "*", "agent"),
    ("*/streamchat_nb/server/turns.py", "*", "agent"),
    *(
        ("*/streamchat_nb/conversation/log.py", name, CALLER)
        for name in ("head", "closed", "readers", "has_pending")
    ),
    ("*/streamchat_nb/conversation/state.py", "seq", CALLER),
    *(
        ("*/streamchat_nb/conversation/log.py", name, "append")
        for name in ("append*", "stamp", "mark", "_grow", "_size_of", "room")
    ),
    ("*/streamchat_nb/conversation/log.py", "take_batch", "number and encode"),
    ("*/streamchat_nb/conversation/log.py", "publish", "publish and fold"),
    *(
        ("*/streamchat_nb/conversation/log.py", name, "frame")
        for name in ("stream", "read", "fresh", "_share")
    ),
    ("*/streamchat_nb/conversation/batch.py", "*", "number and encode"),
    ("*/streamchat_nb/conversation/grouping.py", "mark", "append"),
    ("*/streamchat_nb/conversation/grouping.py", "*", "commit"),
    ("*/streamchat_nb/conversation/log.py", "*", "commit"),
    ("*/streamchat_nb/conversation/tail.py", "read", "frame"),
    ("*/streamchat_nb/conversation/delta_merge.py", "*", "frame"),
    ("*/streamchat_nb/conversation/held_events.py", "*", "commit"),
    ("*/streamchat_nb/conversation/journal.py", "*", "commit"),
    ("*/streamchat_nb/conversation/s*ql*.py", "*", "commit"),
    ("*/streamchat_nb/conversation/store.py", "*", "commit"),
    ("*/sqlite3/*", "*", "commit"),
    ("*/streamchat_nb/conversation/*", "*", "publish and fold"),
    ("*/streamchat_nb/server/delivery.py", "*", "frame"),
    ("*/streamchat_nb/server/*", "*", "write"),
    ("*/tornado/websocket.py", "*", "write"),
    ("*/tornado/iostream.py", "*", "write"),
)

LAYERS = (
    "read",
    "request",
    "split",
    "decode and accumulate",
    "agent",
    "append",
    "number and encode",
    "commit",
    "publish and fold",
    "frame",
    "write",
    "event loop",
    OTHER,
)
"""In the order in which a token passes them; the last two are around all of them.

``read`` ends with bytes of the answer, ``request`` is what comes before its first
token, and ``event loop`` is what it costs to be woken.
"""


def layer_of(stack: Iterable[tuple[str, str]]) -> str:
    """Return the layer that a thread works for.

    Code that belongs to no layer, the standard library's for example, works for the
    one that called it.

    Args:
        stack: File and function of each frame, the innermost first.
    """
    for file, function in stack:
        if layer := _layer_of_function(file, function):
            return layer
    return OTHER


@lru_cache(maxsize=10_000)
def _layer_of_function(file: str, function: str) -> str:
    """Return the layer of a function; ``CALLER`` where it has none of its own."""
    fitting = (
        layer
        for files, functions, layer in RULES
        if fnmatchcase(file, files) and fnmatchcase(function, functions)
    )
    return next(fitting, CALLER)
