from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.mcp_result import mcp_result
from streamchat_nb.tools.mcp_settings import read_mcp_file, read_mcp_servers
from streamchat_nb.tools.mcp_tool import mcp_tools, tool_name
from streamchat_nb.tools.registry import TOOL_NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}


class NoCaller:
    async def call(
        self, name: str, arguments: dict[str, Any], on_progress: Callable[..., None]
    ) -> dict[str, Any]:
        raise NotImplementedError


def offered(*offers: dict[str, Any]) -> Any:
    return mcp_tools(
        offers, caller=NoCaller(), server="shop", timeout_s=5, taken={"shop_taken"}
    )


@pytest.mark.parametrize("tool", ["a", "a b/c", "x" * 200, "ß", "taken"])
def test_name_is_valid_unique_and_the_same_every_time(tool: str) -> None:
    names = {tool_name("my shop", tool, taken=()) for _ in range(3)}

    (name,) = names
    assert TOOL_NAME.fullmatch(name)
    assert tool_name("my shop", tool, taken=names) != name


def test_only_a_tool_that_only_reads_does_not_ask() -> None:
    hints: list[Any] = [{"readOnlyHint": True}, {"readOnlyHint": "true"}, {}, None]
    tools = offered(
        *(
            {"name": f"t{n}", "inputSchema": SCHEMA, "annotations": hint}
            for n, hint in enumerate(hints)
        )
    )

    assert [tool.needs_approval for tool in tools] == [False, True, True, True]


@pytest.mark.parametrize(
    "offer",
    [
        {"inputSchema": SCHEMA},
        {"name": "a"},
        {"name": "a", "inputSchema": {"type": "array"}},
        {"name": "a", "inputSchema": {"type": "object", "required": "all"}},
        {"name": "a", "inputSchema": {**SCHEMA, "description": "x" * 70_000}},
    ],
)
def test_tool_that_cannot_be_used_is_left_out_with_a_warning(
    offer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    tools = offered(offer, {"name": "good", "inputSchema": SCHEMA})

    assert [tool.name for tool in tools] == ["shop_good"]
    assert "left out" in caplog.text


def test_description_is_bounded_and_has_nothing_invisible() -> None:
    said = "Reads.\u202e\U000e0041\x1b" + "x" * 100_000
    (tool,) = offered({"name": "a", "inputSchema": SCHEMA, "description": said})

    assert tool.description.startswith("Reads.xxx")
    assert len(tool.description) < 5_000


@pytest.mark.parametrize(
    ("result", "output", "status"),
    [
        ({}, "Done.", "ok"),
        ({"content": [], "isError": True}, "The tool failed and said no why.", "error"),
        ({"structuredContent": {"a": None}}, '{"a": null}', "ok"),
        (
            {
                "content": [
                    {"type": "text", "text": "1"},
                    {"type": "text", "text": "2"},
                ],
                "structuredContent": {"result": [1, 2]},
            },
            "1\n\n2",
            "ok",
        ),
        (
            {"content": [{"type": "image", "mimeType": "image/png", "data": "AAAA"}]},
            "[image/png, about 3 bytes; it is broken]",
            "ok",
        ),
    ],
)
def test_result_says_something(result: Any, output: str, status: str) -> None:
    read = mcp_result(result)

    assert (read.output, read.status) == (output, status)


@pytest.mark.parametrize(
    "server",
    [
        "text",
        {},
        {"command": "a", "url": "https://b"},
        {"command": 3},
        {"command": "a", "args": "b"},
        {"command": "a", "env": {"B": 1}},
        {"command": "a", "headers": {"B": "c"}},
        {"url": "ftp://a"},
        {"url": "https://a", "type": "sse"},
        {"command": "a", "timeout_s": 0},
    ],
)
def test_server_that_cannot_be_read_is_refused_by_name(server: Any) -> None:
    with pytest.raises(UsageError, match="MCP server shop"):
        read_mcp_servers({"shop": server})


def test_variables_are_filled_in_and_secrets_taken_out() -> None:
    (server,) = read_mcp_servers(
        {"a": {"url": "https://b/c?key=${KEY}", "headers": {"X": "Bearer ${KEY}"}}}
    )
    with pytest.raises(UsageError, match="KEY is not set"):
        server.expanded({})

    known = server.expanded({"KEY": "s3cret"})

    assert known.headers == {"X": "Bearer s3cret"}
    assert "s3cret" not in repr(known)
    told = known.without_secrets("401 for https://b/c?key=s3cret with s3cret")
    assert told == "401 for https://b/c with [left out]"


def test_file_of_servers_is_read_in_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    file.write_text('{"mcpServers": {"a": {"command": "b", "cwd": "c"}}}')

    assert [server.cwd for server in read_mcp_file(file)] == [str(tmp_path / "c")]

    file.write_text("[]")
    with pytest.raises(UsageError, match="mcpServers"):
        read_mcp_file(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_mcp_file(tmp_path / "none.json")
