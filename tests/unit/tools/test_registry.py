from __future__ import annotations

import importlib
import logging
import sys
from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.errors import UsageError
from streamchat_nb.tools import registry
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet, entry_point_tools, load_tools
from streamchat_nb.tools.tool import Tool, ToolContext, ToolResult

if TYPE_CHECKING:
    from pathlib import Path


@tool
def beta(x: int) -> int:
    """Second."""
    return x


@tool
def alpha() -> str:
    """First."""
    return "a"


class HandMade(Tool):
    description = "By hand."
    label = "By hand…"

    def __init__(self, name: str, schema: dict[str, Any] | None = None) -> None:
        self.name = name
        self.input_schema = schema if schema is not None else {"type": "object"}

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        return ToolResult(output=self.name)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_tools.py").write_text(
        "from streamchat_nb.tools.decorator import tool\n"
        "def plain(word: str) -> str:\n"
        "    'Plain.'\n"
        "    return word\n"
        "@tool\n"
        "def made() -> None: ...\n"
        "both = [plain, made, (made,)]\n"
        "number = 5\n"
        "class Kind: ...\n"
        "class Place:\n"
        "    @staticmethod\n"
        "    def nested() -> None: ...\n"
        "def untyped(x): ...\n"
    )
    (tmp_path / "broken_tools.py").write_text("raise ValueError('not today')\n")
    (tmp_path / "leaving_tools.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in ("some_tools", "broken_tools", "leaving_tools"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    return "some_tools"


def offer(monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    points = EntryPoints(
        EntryPoint(name=name, value=value, group=registry.ENTRY_POINT_GROUP)
        for name, value in entries.items()
    )

    def entry_points(*, group: str) -> EntryPoints:
        return points.select(group=group)

    monkeypatch.setattr(registry, "entry_points", entry_points)


def test_tool_set_is_sorted_and_looked_up_by_name() -> None:
    tools = ToolSet([beta, HandMade("Zed"), alpha])
    assert list(tools) == ["Zed", "alpha", "beta"]
    assert tools["beta"] is beta
    assert tools.get("gamma") is None
    assert len(tools) == 3
    assert repr(tools) == "ToolSet(Zed, alpha, beta)"
    assert len(ToolSet()) == 0


def test_tool_set_defines_its_tools_for_a_model() -> None:
    assert ToolSet([beta, alpha]).definitions() == [
        {"name": "alpha", "description": "First.", "input_schema": alpha.input_schema},
        {"name": "beta", "description": "Second.", "input_schema": beta.input_schema},
    ]


def test_tool_set_counts_the_same_tool_once() -> None:
    assert list(ToolSet([alpha, alpha])) == ["alpha"]


def test_tool_set_refuses_two_tools_of_one_name_and_tells_both() -> None:
    with pytest.raises(UsageError) as refused:
        ToolSet([alpha, HandMade("alpha")])
    assert f"{__name__}:alpha" in refused.value.message
    assert f"{__name__}:HandMade" in refused.value.message


def test_tool_set_refuses_unusable_names_and_schemas() -> None:
    with pytest.raises(UsageError, match="'two words'"):
        ToolSet([HandMade("two words")])
    with pytest.raises(UsageError, match="input schema of tool odd"):
        ToolSet([HandMade("odd", {"type": "nothing"})])


def test_load_tools_takes_functions_tools_and_lists(module: str) -> None:
    found = load_tools([f"{module}:plain", f"{module}:made"])
    assert [item.name for item in found] == ["plain", "made"]
    assert found[0].description == "Plain."
    assert [item.name for item in load_tools([f"{module}:both"])] == [
        "plain",
        "made",
        "made",
    ]
    assert [item.name for item in load_tools([f"{module}:Place.nested"])] == ["nested"]
    assert load_tools([]) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("some_tools", "write 'module:function'"),
        (":plain", "write 'module:function'"),
        ("some_tools:", "write 'module:function'"),
        ("no_such_module:f", "ModuleNotFoundError"),
        ("broken_tools:f", "ValueError: not today"),
        ("some_tools:absent", "has no 'absent'"),
        ("some_tools:plain.absent", "has no 'plain.absent'"),
        ("some_tools:number", "is a int"),
        ("some_tools:Kind", "is a type"),
        ("some_tools:untyped", "'x' of untyped has no type annotation"),
    ],
)
def test_load_tools_says_which_and_why(module: str, name: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_tools([f"{module}:plain", name])
    assert reason in refused.value.message


def test_entry_point_tools_are_loaded_in_order_of_their_names(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, zed=f"{module}:made", alpha=f"{module}:plain")
    assert [item.name for item in entry_point_tools()] == ["plain", "made"]


def test_entry_point_tools_leave_out_what_is_broken(
    module: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    offer(
        monkeypatch,
        a="broken_tools:f",
        b="leaving_tools:f",
        c="no_such_module:f",
        d=f"{module}:number",
        e=f"{module}:made",
    )
    with caplog.at_level(logging.WARNING):
        assert [item.name for item in entry_point_tools()] == ["made"]
    assert [record.getMessage().split(" are ")[0] for record in caplog.records] == [
        "The tools of entry point a (broken_tools:f)",
        "The tools of entry point b (leaving_tools:f)",
        "The tools of entry point c (no_such_module:f)",
        "The tools of entry point d (some_tools:number)",
    ]


def test_entry_point_tools_keep_the_first_of_a_name(
    module: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    offer(monkeypatch, a=f"{module}:plain", b=f"{module}:both")
    found = entry_point_tools()
    assert [item.name for item in found] == ["plain", "made"]
    assert "Tool plain of entry point b (some_tools:both) is left out" in caplog.text
    assert len(ToolSet(found)) == 2
