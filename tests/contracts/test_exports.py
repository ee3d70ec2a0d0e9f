"""The public surface is what it is on purpose."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

import streamchat_nb
from streamchat_nb.protocol.close_codes import CLOSE_CODES, CloseCode

MODULES = [
    module.name
    for module in walk_packages(streamchat_nb.__path__, "streamchat_nb.")
    if not module.ispkg and not module.name.startswith("streamchat_nb._")
]


def test_package_exports_exactly_these_names() -> None:
    assert streamchat_nb.__all__ == [
        "Answer",
        "Chat",
        "StreamchatError",
        "ToolContext",
        "ToolResult",
        "__version__",
        "tool",
    ]
    for name in streamchat_nb.__all__:
        assert getattr(streamchat_nb, name) is not None
    assert dir(streamchat_nb) == sorted(streamchat_nb.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = streamchat_nb.nothing


@pytest.mark.parametrize("name", MODULES)
def test_module_says_what_it_exports(name: str) -> None:
    module = import_module(name)
    exported = getattr(module, "__all__", None)
    assert exported is not None, f"{name} has no __all__"
    for attribute in exported:
        assert hasattr(module, attribute), f"{name}.{attribute}"
    assert module.__doc__


def test_close_codes_and_their_table_are_equal() -> None:
    assert set(CLOSE_CODES) == set(CloseCode)


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("streamchat_nb", ["msgspec", "tornado", "anywidget", "jupyter_server"]),
        ("streamchat_nb.server.extension", ["anthropic", "httpx2", "aiohttp"]),
        (
            "streamchat_nb.client.client",
            ["anthropic", "streamchat_nb.server", "streamchat_nb.agent"],
        ),
        (
            "streamchat_nb.conversation.state",
            ["asyncio", "tornado", "sqlite3", "streamchat_nb.conversation.log"],
        ),
    ],
)
def test_import_loads_nothing_heavy(imported: str, absent: list[str]) -> None:
    script = (
        f"import sys, {imported}; "
        f"print([name for name in {absent!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
