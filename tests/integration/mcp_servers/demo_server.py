"""An MCP server that does what servers do, good and bad; for the tests beside it.

Usage: ``python demo_server.py [PORT]``: over standard input and output, or by
streamable HTTP. Runs with either generation of the SDK.
"""

# One of the two imports fails, whichever generation is installed.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
import base64
import os
import sys
from typing import Any

try:
    from mcp.server.mcpserver import Context, Image, MCPServer
except ImportError:  # mcp 1.x
    from mcp.server.fastmcp import Context, Image
    from mcp.server.fastmcp import FastMCP as MCPServer
from mcp.types import ToolAnnotations
from pydantic import BaseModel

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0
IS_FIRST = MCPServer.__name__ == "FastMCP"
OPTIONS: dict[str, Any] = {"port": PORT} if IS_FIRST and PORT else {}
server: Any = MCPServer("demo", **OPTIONS)
only_reads = ToolAnnotations.model_validate({"readOnlyHint": True})
cancelled: list[str] = []


@server.tool(annotations=only_reads)
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


@server.tool(annotations=only_reads)
def variables() -> list[str]:
    """List the environment."""
    return sorted(f"{name}={value}" for name, value in os.environ.items())


@server.tool(annotations=only_reads)
def cancellations() -> str:
    """Count the calls that were cancelled."""
    return f"{len(cancelled)} cancelled"


@server.tool(annotations=only_reads)
def process() -> str:
    """Tell the process id."""
    return str(os.getpid())


@server.tool()
async def slow(seconds: float, context: Context) -> str:
    """Take some time, and tell of it."""
    steps = round(seconds * 20)
    try:
        for step in range(1, steps + 1):
            await context.report_progress(step, steps, f"step {step}")
            await asyncio.sleep(0.05)
    except BaseException:
        cancelled.append("slow")
        raise
    return "done"


@server.tool()
def crash() -> str:
    """End the process."""
    sys.stderr.write("I go down\n")
    sys.stderr.flush()
    os._exit(3)


@server.tool()
def fail() -> str:
    """Raise."""
    raise ValueError("not today")


@server.tool(structured_output=False)
def huge(characters: int) -> str:
    """Return a long text."""
    return "x" * characters


@server.tool()
def picture() -> Image:
    """Return a picture."""
    return Image(data=PIXEL, format="png")


@server.tool()
def facts() -> dict[str, int]:
    """Return structured content."""
    return {"answer": 42}


class Answer(BaseModel):
    """What a person is asked for."""

    name: str


@server.tool()
async def ask(context: Context) -> str:
    """Ask the user."""
    answer = await context.elicit("Who are you?", schema=Answer)
    return str(answer)


@server.tool()
async def grow(context: Context) -> str:
    """Offer one more tool."""
    server.add_tool(lambda: "new", name="grown", description="A new tool.")
    if IS_FIRST:
        await context.session.send_tool_list_changed()
    else:
        await context.notify_tools_changed()
    return "grown"


if __name__ == "__main__":
    if not PORT:
        server.run()
    elif IS_FIRST:
        server.run("streamable-http")
    else:
        server.run("streamable-http", port=PORT)
