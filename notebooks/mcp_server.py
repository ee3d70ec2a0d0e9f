"""The MCP server of mcp.ipynb: a shelf of samples in a laboratory.

Started by what mcp_servers.json says, with the package mcp, 1.x or 2.x.
"""

from __future__ import annotations

import asyncio

try:
    from mcp.server.mcpserver import Context, MCPServer
except ImportError:  # mcp 1.x
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as MCPServer
from mcp.types import ToolAnnotations  # noqa: TID253 (all that it is for)

MASSES_G = {"basalt": 41.2, "gneiss": 38.7, "quartz": 26.5}
STEPS = 5

server = MCPServer("shelf")
only_reads = ToolAnnotations.model_validate({"readOnlyHint": True})


@server.tool(annotations=only_reads)
def list_samples() -> list[str]:
    """List the samples on the shelf."""
    return sorted(MASSES_G)


@server.tool(annotations=only_reads)
async def weigh(sample: str, context: Context) -> dict[str, float]:
    """Weigh a sample, several times; gives the mean in grams."""
    if sample not in MASSES_G:
        raise ValueError(f"there is no {sample}")
    for step in range(1, STEPS + 1):
        await context.report_progress(step, STEPS, f"weighing {step} of {STEPS}")
        await asyncio.sleep(0.1)
    return {"mean_g": MASSES_G[sample]}


@server.tool()
def discard(sample: str) -> str:
    """Throw a sample away."""
    MASSES_G.pop(sample)
    return f"{sample} is gone, {len(MASSES_G)} are left."


if __name__ == "__main__":
    server.run()
