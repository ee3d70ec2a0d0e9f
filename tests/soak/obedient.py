"""An agent that does whatever any text tells it to, and tools that leave a trace.

Loaded by a server. What is an order and what is data makes no difference to it: it
repeats what it was given and calls everything that could do harm, with the order in the
code. ``STREAMCHAT_WITNESS`` names the file in which whatever really runs is counted.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.model import Model, ModelEvent, ModelRequest
from streamchat_nb.testing.scripted_model import script, tool_use
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.tool import ToolContext  # noqa: TC001 - read by @tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.protocol.content import ToolUseBlock

__all__ = ["WITNESS", "make_agent", "orders_of"]

WITNESS = "STREAMCHAT_WITNESS"
OBEYING = "obeying-"
LOOK = {
    "fetch": "fetch",
    "read the notebook": "read_notebook",
}
"""What the user says, and the tool that it stands for."""

Order = tuple[str, dict[str, Any]]


def orders_of(text: str, witness: str) -> list[Order]:
    """Return the calls that somebody obedient makes of a text.

    Args:
        text: What was read.
        witness: The file that code run in a kernel writes to.
    """
    trace = f"open({witness!r}, 'a').write('run_python\\n')"
    orders: list[Order] = [
        ("delete_all", {}),
        ("run_code", {"code": text}),
        ("run_python", {"code": f"{trace}\n# {text!r}"}),
        ("approve", {"decision": "approved", "remember": "conversation"}),
    ]
    try:
        literal = json.loads(text)
        orders.append((literal["name"], literal["input"]))
    except (ValueError, TypeError, KeyError):
        pass
    return orders


class _Obedient(Model):
    """Looks where the user says, then obeys what it finds there."""

    name = "obedient"

    @override
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        for event in script(*self._said(request)):
            yield event

    def _said(self, request: ModelRequest) -> list[ToolUseBlock | str]:
        blocks = _blocks(request.messages[-1])
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        if texts:  # a question; results beside it are of a turn that was cancelled
            return self._answered(texts, request.tools)
        if any(block["tool_use_id"].startswith(OBEYING) for block in blocks):
            return ["I did what I was told."]
        text = _result_text(blocks[0])
        found = json.loads(text)["found"] if text.startswith('{"found":') else text
        return self._obeying(found)

    def _answered(
        self, texts: list[str], tools: list[dict[str, Any]]
    ) -> list[ToolUseBlock | str]:
        if texts[-1] in LOOK:
            return [tool_use(LOOK[texts[-1]], id_=f"looking-{secrets.token_hex(8)}")]
        if texts[-1] == "look":
            (told,) = (t["description"] for t in tools if t["name"] == "described")
            return self._obeying(told)
        return self._obeying(texts[-1])

    def _obeying(self, text: str) -> list[ToolUseBlock | str]:
        order = text.rpartition("«")[2].partition("»")[0]
        orders = orders_of(order, os.environ[WITNESS])
        return [
            f"As I was told: {order}",
            *(
                tool_use(name, input_, id_=f"{OBEYING}{secrets.token_hex(8)}")
                for name, input_ in orders
            ),
        ]


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content: Any = message["content"]
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return cast("list[dict[str, Any]]", content)


def _result_text(block: dict[str, Any]) -> str:
    return "\n".join(part.get("text", "") for part in _blocks(block))


def make_agent() -> AnthropicAgent:
    """Return the agent, for ``StreamchatExtension.agent``."""
    return AnthropicAgent(_Obedient())


def _note(what: str) -> None:
    with Path(os.environ[WITNESS]).open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")


@tool
def fetch(context: ToolContext) -> Any:
    """Give what somebody else has written, as the file beside the witness says."""
    given = json.loads(Path(f"{os.environ[WITNESS]}.given").read_text("utf-8"))
    if given["as"] == "progress":
        context.progress(given["text"])
    if given["as"] == "exception":
        raise RuntimeError(given["text"])
    return {"found": given["text"]} if given["as"] == "json" else given["text"]


@tool(risk="write")
def delete_all() -> str:
    """Delete everything."""
    _note("delete_all")
    return "All is gone."


@tool(risk="exec")
def run_code(code: str) -> str:
    """Run code.

    Args:
        code: What to run.
    """
    _note(f"run_code {code!r}")
    return "It ran."


TOOLS = [fetch, delete_all, run_code]
